//! The scenario of one run: the shop is deployed under faults, the cloud settles and is checked, the shop is deleted.

use crate::{
    check,
    client::Client,
    shop::{self, Shop},
    world::{Life, World},
};
use anyhow::{Context, Result, bail, ensure};
use escale_base::ids;
use std::time::Duration;

/// The result of a run.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The status of the application's stack before it was deleted.
    pub stack: String,
    pub lives: u32,
    pub faults: u64,
    /// In simulated time.
    pub took_ms: i64,
}

/// If no row changes for this long, the cloud has settled.
const QUIET: Duration = Duration::from_secs(400);
/// Stopped tasks stay visible, and deleted log streams are kept, for an hour.
const FORGOTTEN: Duration = Duration::from_secs(3_700);
/// The limit of daemon starts in one run. A run that needs more makes no progress.
const LIVES: u32 = 40;

/// The user's progress. It does not depend on the daemon's deaths, which a user does not notice.
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

/// Runs the scenario of a seed. The error says which condition failed.
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
            "the daemon was started {LIVES} times, and the scenario is still at {chapter:?}"
        );
        let lived = world.live(async |life| {
            while chapter != Chapter::End {
                chapter = advance(&world, life, &shop, chapter, &mut stack).await.with_context(|| {
                    let troubles = life.engine.troubles().list();
                    let troubles: Vec<String> =
                        troubles.iter().map(|t| format!("{} {}: {}", t.reconciler, t.key, t.why)).collect();
                    format!("at {chapter:?}; troubles:\n  {}", troubles.join("\n  "))
                })?;
            }
            Ok(())
        });
        lived.with_context(|| format!("in life {lives}, weather {:?}", world.hazard.weather()))?;
    }
    Ok(Outcome { stack, lives, faults: world.hazard.faults(), took_ms: world.now().since_ms(began) })
}

async fn advance(
    world: &World,
    life: &Life,
    shop: &Shop,
    chapter: Chapter,
    stack: &mut String,
) -> Result<Chapter> {
    let client = &life.client;
    tracing::info!(?chapter, at_ms = world.now().0, "next chapter");
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
            *stack = status.context("the stack no longer exists")?;
            if stack != "CREATE_COMPLETE" {
                tracing::warn!(
                    stack,
                    failures = shop::failures(client, &shop.stack).await?,
                    "the stack was not created"
                );
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
                "CREATE_COMPLETE" => check::deployed(world, life).await?,
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

/// Waits until a stack that is being deleted is gone.
async fn gone(client: &Client, stack: &str) -> Result<()> {
    match shop::settled(client, stack).await? {
        None => Ok(()),
        Some(status) => bail!("the stack {stack} is {status}:\n{}", shop::failures(client, stack).await?),
    }
}

/// Waits until the rows stop changing.
pub(crate) async fn quiet(life: &Life) -> Result<()> {
    let mut changes = life.store.subscribe(escale_store::ALL_TABLES);
    for _ in 0..10_000 {
        if tokio::time::timeout(QUIET, changes.changed()).await.is_err() {
            return Ok(());
        }
    }
    bail!("rows change for ever, last: {:?}", changes.changed().await)
}
