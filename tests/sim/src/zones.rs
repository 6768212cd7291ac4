//! A zone loses its power or its network for some time, whatever the daemon does meanwhile.

use crate::{
    rows,
    simulation::{Daemon, Simulation},
};
use anyhow::Result;
use escale_base::Timestamp;
use escale_postgres::{Fault, Postgres};
use escale_proxy::{Proxies, Reason, TargetState};
use escale_tables::{ecs, rds};
use rand::{Rng, seq::IteratorRandom};
use std::{
    collections::BTreeSet,
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::PoisonError,
    time::Duration,
};

/// The longest time between two outages, and of one.
const APART_MS: u64 = 60_000;
const DARK_MS: i64 = 120_000;
/// What starts in a dark zone is hit within this time.
const STRIKES_EVERY: Duration = Duration::from_secs(1);

/// A zone without power: no process of it runs. A zone without a network: they run, and nothing reaches them.
#[derive(Clone, Debug)]
pub(crate) struct Outage {
    zone: String,
    has_power: bool,
    until: Timestamp,
}

/// Never ends. Without outages left, it only waits.
pub(crate) async fn fail(simulation: &Simulation, daemon: &Daemon) -> Result<Infallible> {
    loop {
        // The daemon before this one may have died in an outage.
        let now = outage(simulation).clone();
        if let Some(dark) = now {
            hold(simulation, daemon, &dark).await?;
            *outage(simulation) = None;
        }
        let pause = simulation.hazard.random(|r| r.random_range(1..APART_MS));
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let image = daemon.store.read();
        let tasks = image.scan::<ecs::Task>().map(|t| t.zone.to_string());
        let nodes = image
            .scan::<rds::Instance>()
            .flat_map(|i| i.nodes.iter().map(|n| n.zone.to_string()).collect::<Vec<_>>());
        let zones: BTreeSet<String> = tasks.chain(nodes).collect();
        let chosen = simulation.hazard.random(|r| zones.into_iter().choose(r));
        let Some(zone) = chosen.filter(|_| simulation.hazard.take_outage()) else { continue };
        let (has_power, ms) = simulation.hazard.random(|r| (r.random_bool(0.5), r.random_range(1..DARK_MS)));
        tracing::info!(zone, has_power, ms, "accident: a zone is lost");
        *outage(simulation) = Some(Outage { zone, has_power, until: simulation.now().plus_ms(ms) });
    }
}

/// Breaks all that is in the zone until the outage is over, and heals it.
async fn hold(simulation: &Simulation, daemon: &Daemon, dark: &Outage) -> Result<()> {
    rows::write_and_check(simulation).await?;
    let mut unreachable = BTreeSet::new();
    while simulation.now() < dark.until && !simulation.hazard.is_calm() {
        servers(simulation, daemon, dark, |database, node, fault| {
            simulation.postgres.break_node(database, node, fault);
        })
        .await?;
        if dark.has_power {
            cut_targets(daemon, dark, &mut unreachable);
        } else {
            kill_tasks(simulation, daemon, dark);
        }
        rows::write_and_check(simulation).await?;
        tokio::time::sleep(STRIKES_EVERY).await;
    }
    tracing::info!(zone = dark.zone, "the zone is back");
    for addr in unreachable {
        daemon.proxies.set_target(addr, TargetState::Healthy);
    }
    servers(simulation, daemon, dark, |database, node, _| simulation.postgres.heal(database, node)).await?;
    rows::write_and_check(simulation).await
}

/// Calls `act` for each database server of the zone.
async fn servers(
    simulation: &Simulation,
    daemon: &Daemon,
    dark: &Outage,
    act: impl Fn(&str, &str, Fault),
) -> Result<()> {
    let fault = if dark.has_power { Fault::Cut } else { Fault::ZoneLost };
    for name in simulation.postgres.list().await? {
        let image = daemon.store.read();
        let mut all = image.scan::<rds::Instance>();
        let Some(instance) = all.find(|i| i.resource_id.eq_ignore_ascii_case(&name)) else { continue };
        for node in instance.nodes.iter().filter(|n| *n.zone == *dark.zone) {
            act(&name, &node.name, fault);
        }
    }
    Ok(())
}

fn kill_tasks(simulation: &Simulation, daemon: &Daemon, dark: &Outage) {
    let image = daemon.store.read();
    let groups = daemon.containers.list();
    let lost = |id: &str| image.get::<ecs::Task>(id).is_some_and(|task| *task.zone == *dark.zone);
    for group in groups.values().filter(|group| lost(&group.id)) {
        for container in group.containers.keys() {
            simulation.containers.kill(&group.id, container);
        }
    }
}

fn cut_targets(daemon: &Daemon, dark: &Outage, unreachable: &mut BTreeSet<SocketAddr>) {
    let image = daemon.store.read();
    let lost: BTreeSet<IpAddr> =
        image.scan::<ecs::Task>().filter(|t| *t.zone == *dark.zone).map(|t| t.private_ip.into()).collect();
    let specs = daemon.proxies.names().into_iter().filter_map(|name| daemon.proxies.spec(&name));
    let targets = specs.flat_map(|s| s.groups).flat_map(|g| g.targets).map(|t| t.addr);
    for addr in targets.filter(|addr| lost.contains(&addr.ip())).collect::<Vec<_>>() {
        if unreachable.insert(addr) {
            daemon.proxies.set_target(addr, TargetState::Unhealthy(Reason::Timeout));
        }
    }
}

fn outage(simulation: &Simulation) -> std::sync::MutexGuard<'_, Option<Outage>> {
    simulation.outage.lock().unwrap_or_else(PoisonError::into_inner)
}
