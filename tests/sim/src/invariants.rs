//! The conditions that must hold at every moment: they are checked after every change of rows.

use crate::{
    check,
    percent::Percent,
    rows,
    simulation::{Daemon, Simulation},
};
use anyhow::{Result, ensure};
use escale_postgres::Postgres;
use escale_store::Image;
use escale_tables::{ecs, rds};
use std::{collections::BTreeSet, convert::Infallible};

/// Never ends without a violation.
pub(crate) async fn hold(simulation: &Simulation, daemon: &Daemon) -> Result<Infallible> {
    let mut changes = daemon.store.subscribe(escale_store::ALL_TABLES);
    let mut percent = Percent::of(&daemon.store.read());
    loop {
        changes.changed().await;
        let databases = simulation.postgres.list().await?;
        let image = daemon.store.read();
        percent.check(&image)?;
        rows::check(simulation, &databases)?;
        check::addresses(&image)?;
        owned(daemon, &image, &databases)?;
    }
}

/// Checks that no process runs without a row that leads to its end: a daemon that dies now must find it.
fn owned(daemon: &Daemon, image: &Image, databases: &[String]) -> Result<()> {
    for id in daemon.containers.list().keys() {
        ensure!(image.get::<ecs::Task>(id).is_some(), "the containers {id} run, and there is no such task");
    }
    let known: BTreeSet<String> =
        image.scan::<rds::Instance>().map(|i| i.resource_id.to_ascii_lowercase()).collect();
    for name in databases {
        ensure!(known.contains(name), "the database {name} runs, and there is no such instance");
    }
    Ok(())
}
