//! A client that writes to the databases: no acknowledged row is lost, and never two servers acknowledge.

use crate::simulation::Simulation;
use anyhow::{Result, ensure};
use escale_postgres::{Fault, Postgres};
use rand::{Rng, seq::IteratorRandom};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// The longest time for which a database server is broken.
const BROKEN_MS: u64 = 90_000;

/// The acknowledged rows, by database.
#[derive(Default)]
pub(crate) struct Acknowledged(Mutex<BTreeMap<String, BTreeSet<u64>>>);

/// Checks each database, and writes to it.
pub(crate) async fn write_and_check(simulation: &Simulation) -> Result<()> {
    let postgres = &simulation.postgres;
    let names = postgres.list().await?;
    check(simulation, &names)?;
    let mut all = simulation.acknowledged.0.lock().unwrap_or_else(PoisonError::into_inner);
    for name in names {
        let written = (0..3).filter_map(|_| postgres.write(&name).ok());
        all.entry(name.clone()).or_default().extend(written);
    }
    Ok(())
}

/// Checks that all acknowledged rows are there, and that at most one server acknowledges rows.
pub(crate) fn check(simulation: &Simulation, databases: &[String]) -> Result<()> {
    let postgres = &simulation.postgres;
    let all = simulation.acknowledged.0.lock().unwrap_or_else(PoisonError::into_inner);
    for name in databases {
        let rows = postgres.rows(name);
        let lost: Vec<_> = all.get(name).into_iter().flat_map(|a| a.difference(&rows)).collect();
        ensure!(lost.is_empty(), "database {name} has lost the acknowledged rows {lost:?}");
        let primaries = postgres.acknowledging(name);
        ensure!(primaries.len() < 2, "database {name} has two primaries: {primaries:?}");
    }
    Ok(())
}

/// Breaks a server of each database in one way, for some time.
pub(crate) async fn break_servers(simulation: &Simulation) -> Result<()> {
    let faults = [Fault::CannotStart, Fault::Frozen, Fault::DiskStuck, Fault::Cut, Fault::ZoneLost];
    let mut broken = Vec::new();
    for name in simulation.postgres.list().await? {
        let Some(seen) = simulation.postgres.observe(&name).await? else { continue };
        let nodes = seen.nodes.iter().map(|n| n.name.clone());
        let chosen = simulation.hazard.random(|r| Some((nodes.choose(r)?, faults.into_iter().choose(r)?)));
        if let Some((node, fault)) = chosen {
            tracing::info!(name, node, primary = seen.primary, ?fault, "accident: a database server breaks");
            simulation.postgres.break_node(&name, &node, fault);
            broken.push(Broken { simulation, name, node });
        }
        write_and_check(simulation).await?;
    }
    let broken_for = simulation.hazard.random(|r| r.random_range(1..BROKEN_MS));
    tokio::time::sleep(Duration::from_millis(broken_for)).await;
    write_and_check(simulation).await?;
    drop(broken);
    write_and_check(simulation).await
}

/// Heals the server when it is dropped: also when the daemon dies meanwhile.
struct Broken<'a> {
    simulation: &'a Simulation,
    name: String,
    node: String,
}

impl Drop for Broken<'_> {
    fn drop(&mut self) {
        self.simulation.postgres.heal(&self.name, &self.node);
    }
}
