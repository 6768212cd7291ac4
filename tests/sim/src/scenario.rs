//! The scenario of one run: the shop is deployed under faults, the cloud settles and is checked, the shop is deleted.

use crate::{
    check,
    client::Client,
    shop::{self, Shop},
    simulation::{Daemon, Simulation},
};
use anyhow::{Context, Result, bail, ensure};
use escale_base::ids;
use std::time::Duration;

/// The result of a run.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The status of the application's stack before it was deleted.
    pub stack: String,
    pub starts: u32,
    pub faults: u64,
    /// In simulated time.
    pub took_ms: i64,
}

/// If no row changes for this long, the cloud has settled.
const QUIET: Duration = Duration::from_secs(400);
/// Stopped tasks stay visible, and deleted log streams are kept, for an hour.
const FORGOTTEN: Duration = Duration::from_secs(3_700);
/// The limit of daemon starts in one run. A run that needs more makes no progress.
const STARTS: u32 = 40;

/// The user's progress in the scenario. It survives the daemon's crashes: a phase begins again in the next daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Registry,
    Images,
    Stack,
    Withdrawn,
    Checked,
    Deleted,
    RegistryDeleted,
    End,
}

/// Runs the scenario of a seed. The error names the condition that failed.
pub fn run(seed: u64) -> Result<Outcome> {
    ids::seed(seed);
    let simulation = Simulation::new(seed)?;
    let began = simulation.now();
    let shop = Shop::new()?;
    let (mut phase, mut stack, mut starts) = (Phase::Registry, String::new(), 0);
    while phase != Phase::End {
        starts += 1;
        ensure!(
            starts <= STARTS,
            "the daemon was started {STARTS} times, and the scenario is still at {phase:?}"
        );
        let ended = simulation.run_daemon(async |daemon| {
            while phase != Phase::End {
                phase = advance(&simulation, daemon, &shop, phase, &mut stack).await.with_context(|| {
                    let pending = daemon.engine.pending_reasons().list();
                    let pending: Vec<String> =
                        pending.iter().map(|t| format!("{} {}: {}", t.reconciler, t.key, t.why)).collect();
                    format!("at {phase:?}; pending:\n  {}", pending.join("\n  "))
                })?;
            }
            Ok(())
        });
        ended
            .with_context(|| format!("daemon number {starts}, weather {:?}", simulation.hazard.weather()))?;
    }
    Ok(Outcome {
        stack,
        starts,
        faults: simulation.hazard.faults(),
        took_ms: simulation.now().since_ms(began),
    })
}

async fn advance(
    simulation: &Simulation,
    daemon: &Daemon,
    shop: &Shop,
    phase: Phase,
    stack: &mut String,
) -> Result<Phase> {
    let client = &daemon.client;
    tracing::info!(?phase, at_ms = simulation.now().0, "next phase");
    // The cloud cannot settle while faults occur, so the checks are made in calm weather.
    simulation.hazard.set_calm(matches!(phase, Phase::Checked | Phase::End));
    match phase {
        Phase::Registry => {
            shop.create_registry(client).await?;
            let status = shop::settled(client, &shop.registry_stack).await?;
            ensure!(status.as_deref() == Some("CREATE_COMPLETE"), "the registry's stack is {status:?}");
            Ok(Phase::Images)
        }
        Phase::Images => {
            shop.push(client, simulation).await?;
            Ok(Phase::Stack)
        }
        Phase::Stack => {
            shop.create(client).await?;
            if let Some(ms) = simulation.hazard.take_withdrawal() {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                shop::delete(client, &shop.stack).await?;
                return Ok(Phase::Withdrawn);
            }
            let status = shop::settled(client, &shop.stack).await?;
            tracing::info!(?status, at = simulation.now().0, "the stack is settled");
            *stack = status.context("the stack no longer exists")?;
            if stack != "CREATE_COMPLETE" {
                tracing::warn!(
                    stack,
                    failures = shop::failures(client, &shop.stack).await?,
                    "the stack was not created"
                );
            }
            Ok(Phase::Checked)
        }
        Phase::Withdrawn => {
            gone(client, &shop.stack).await?;
            Ok(Phase::Stack)
        }
        Phase::Checked => {
            quiet(daemon).await?;
            match stack.as_str() {
                "CREATE_COMPLETE" => check::deployed(simulation, daemon).await?,
                "ROLLBACK_COMPLETE" => check::mirrored(simulation, daemon).await?,
                other => bail!("the stack is {other}:\n{}", shop::failures(client, &shop.stack).await?),
            }
            shop::delete(client, &shop.stack).await?;
            Ok(Phase::Deleted)
        }
        Phase::Deleted => {
            gone(client, &shop.stack).await?;
            shop::delete(client, &shop.registry_stack).await?;
            Ok(Phase::RegistryDeleted)
        }
        Phase::RegistryDeleted => {
            gone(client, &shop.registry_stack).await?;
            simulation.hazard.set_calm(true);
            tokio::time::sleep(FORGOTTEN).await;
            quiet(daemon).await?;
            check::nothing(simulation, daemon).await?;
            Ok(Phase::End)
        }
        Phase::End => Ok(Phase::End),
    }
}

/// Waits until the deletion of a stack is complete.
async fn gone(client: &Client, stack: &str) -> Result<()> {
    match shop::settled(client, stack).await? {
        None => Ok(()),
        Some(status) => bail!("the stack {stack} is {status}:\n{}", shop::failures(client, stack).await?),
    }
}

/// Waits until the rows stop changing.
pub(crate) async fn quiet(daemon: &Daemon) -> Result<()> {
    let mut changes = daemon.store.subscribe(escale_store::ALL_TABLES);
    for _ in 0..10_000 {
        if tokio::time::timeout(QUIET, changes.changed()).await.is_err() {
            return Ok(());
        }
    }
    bail!("the rows never stop changing; the last change was {:?}", changes.changed().await)
}
