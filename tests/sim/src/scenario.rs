//! What happens in one run: a shop is deployed, things go wrong, all comes to rest, the shop is taken away.

use crate::{
    check,
    client::Client,
    shop::{self, Shop},
    world::{Life, World},
};
use anyhow::{Context, Result, bail, ensure};
use escale_base::ids;
use std::time::Duration;

/// What came of a run.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Of the application's stack, before it was deleted.
    pub stack: String,
    pub lives: u32,
    pub faults: u64,
    /// Simulated.
    pub took_ms: i64,
}

/// Nothing happens for so long: then nothing will.
const QUIET: Duration = Duration::from_secs(400);
/// Stopped tasks are shown, and logs that nobody wants any more are kept, for an hour.
const FORGOTTEN: Duration = Duration::from_secs(3_700);
/// A daemon may need several lives; a story that takes more than so many goes in circles.
const LIVES: u32 = 40;

/// Where the user stands. Only what a user knows: the daemon's deaths are not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Chapter {
    Registry,
    Images,
    Stack,
    Regretted,
    Checked,
    Deleted,
    RegistryDeleted,
    End,
}

/// Runs the story of a seed. The error tells what is wrong.
pub fn run(seed: u64) -> Result<Outcome> {
    ids::seed(seed);
    let world = World::new(seed)?;
    let began = world.now();
    let shop = Shop::new()?;
    let (mut chapter, mut stack, mut lives) = (Chapter::Registry, String::new(), 0);
    while chapter != Chapter::End {
        lives += 1;
        ensure!(
            lives <= LIVES,
            "the daemon was started {LIVES} times, and still the story is at {chapter:?}"
        );
        let told = world.live(async |life| {
            while chapter != Chapter::End {
                chapter = tell(&world, life, &shop, chapter, &mut stack).await.with_context(|| {
                    let troubles = life.engine.troubles().list();
                    let troubles: Vec<String> =
                        troubles.iter().map(|t| format!("{} {}: {}", t.reconciler, t.key, t.why)).collect();
                    format!("at {chapter:?}; troubles:\n  {}", troubles.join("\n  "))
                })?;
            }
            Ok(())
        });
        told.with_context(|| format!("in life {lives}, weather {:?}", world.hazard.weather()))?;
    }
    Ok(Outcome { stack, lives, faults: world.hazard.faults(), took_ms: world.now().since_ms(began) })
}

async fn tell(
    world: &World,
    life: &Life,
    shop: &Shop,
    chapter: Chapter,
    stack: &mut String,
) -> Result<Chapter> {
    let client = &life.client;
    tracing::info!(?chapter, at_ms = world.now().0, "goes on");
    world.hazard.set_calm(matches!(chapter, Chapter::Checked | Chapter::End));
    match chapter {
        Chapter::Registry => {
            shop.create_registry(client).await?;
            let status = shop::settled(client, &shop.registry_stack).await?;
            ensure!(status.as_deref() == Some("CREATE_COMPLETE"), "the registry's stack is {status:?}");
            Ok(Chapter::Images)
        }
        Chapter::Images => {
            shop.push(client, world).await?;
            Ok(Chapter::Stack)
        }
        Chapter::Stack => {
            shop.create(client).await?;
            if let Some(ms) = world.hazard.take_regret() {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                shop::delete(client, &shop.stack).await?;
                return Ok(Chapter::Regretted);
            }
            let status = shop::settled(client, &shop.stack).await?;
            tracing::info!(?status, at = world.now().0, "the stack is settled");
            *stack = status.context("the stack has vanished")?;
            if stack != "CREATE_COMPLETE" {
                tracing::warn!(stack, failures = shop::failures(client, &shop.stack).await?, "not made");
            }
            Ok(Chapter::Checked)
        }
        Chapter::Regretted => {
            gone(client, &shop.stack).await?;
            Ok(Chapter::Stack)
        }
        Chapter::Checked => {
            quiet(life).await?;
            match stack.as_str() {
                "CREATE_COMPLETE" => check::stands(world, life).await?,
                "ROLLBACK_COMPLETE" => check::mirrored(world, life).await?,
                other => bail!("the stack is {other}:\n{}", shop::failures(client, &shop.stack).await?),
            }
            shop::delete(client, &shop.stack).await?;
            Ok(Chapter::Deleted)
        }
        Chapter::Deleted => {
            gone(client, &shop.stack).await?;
            shop::delete(client, &shop.registry_stack).await?;
            Ok(Chapter::RegistryDeleted)
        }
        Chapter::RegistryDeleted => {
            gone(client, &shop.registry_stack).await?;
            world.hazard.set_calm(true);
            tokio::time::sleep(FORGOTTEN).await;
            quiet(life).await?;
            check::nothing(world, life).await?;
            Ok(Chapter::End)
        }
        Chapter::End => Ok(Chapter::End),
    }
}

/// Waits until a stack that was told to go is gone.
async fn gone(client: &Client, stack: &str) -> Result<()> {
    match shop::settled(client, stack).await? {
        None => Ok(()),
        Some(status) => bail!("the stack {stack} is {status}:\n{}", shop::failures(client, stack).await?),
    }
}

/// Waits until no row has changed for long.
pub(crate) async fn quiet(life: &Life) -> Result<()> {
    let mut changes = life.store.subscribe(escale_store::ALL_TABLES);
    for _ in 0..10_000 {
        if tokio::time::timeout(QUIET, changes.changed()).await.is_err() {
            return Ok(());
        }
    }
    bail!("rows change for ever, last: {:?}", changes.changed().await)
}
