//! Events at random times. Accidents: a task's process or a database server dies, a target becomes unhealthy. Actions of users:
//! a task is stopped, a service redeployed, a database failed over. The machine's clock is set.

use crate::{
    rows,
    simulation::{Daemon, Simulation},
};
use anyhow::Result;
use escale_postgres::Postgres;
use escale_proxy::{Proxies, Reason, TargetState};
use escale_store::Image;
use escale_tables::{
    ecs::{Service, Task},
    rds::Instance,
};
use rand::{Rng, seq::IteratorRandom};
use serde_json::{Value, json};
use std::{convert::Infallible, time::Duration};

/// The longest time between two events.
const APART_MS: u64 = 40_000;
/// The longest time for which a target fails its health checks.
const UNHEALTHY_MS: u64 = 60_000;
/// How far the clock is set back or forward at most: the correction of a machine whose clock was wrong, or that slept.
const BACK_MS: i64 = 90_000;
const FORWARD_MS: i64 = 600_000;

/// Never ends. Without events left, it only waits.
pub(crate) async fn happen(simulation: &Simulation, daemon: &Daemon) -> Result<Infallible> {
    loop {
        let pause = simulation.hazard.random(|r| r.random_range(1..APART_MS));
        tokio::time::sleep(Duration::from_millis(pause)).await;
        if simulation.hazard.take_user_action() {
            act_as_user(simulation, daemon).await;
        }
        if simulation.hazard.take_clock_step() {
            let ms = simulation.hazard.random(|r| r.random_range(-BACK_MS..FORWARD_MS));
            tracing::info!(ms, "accident: the clock is set");
            simulation.set_clock(ms);
        }
        if !simulation.hazard.take_accident() {
            continue;
        }
        rows::write_and_check(simulation).await?;
        match simulation.hazard.random(|r| r.random_range(0..4)) {
            0 => kill_a_container(simulation, daemon),
            1 => kill_a_server(simulation).await?,
            2 => rows::break_servers(simulation).await?,
            _ => fail_a_target(simulation, daemon).await,
        }
    }
}

fn kill_a_container(simulation: &Simulation, daemon: &Daemon) {
    let groups = daemon.containers.list();
    let all = groups.values().flat_map(|g| g.containers.keys().map(|c| (g.id.clone(), c.clone())));
    if let Some((group, container)) = simulation.hazard.random(|r| all.choose(r)) {
        tracing::info!(group, container, "accident: a container dies");
        simulation.containers.kill(&group, &container);
    }
}

async fn kill_a_server(simulation: &Simulation) -> Result<()> {
    for name in simulation.postgres.list().await? {
        let Some(seen) = simulation.postgres.observe(&name).await? else { continue };
        let nodes = seen.nodes.iter().map(|n| n.name.clone());
        if let Some(node) = simulation.hazard.random(|r| nodes.choose(r)) {
            tracing::info!(name, node, primary = seen.primary, "accident: a database server dies");
            simulation.postgres.kill(&name, &node);
        }
    }
    Ok(())
}

async fn fail_a_target(simulation: &Simulation, daemon: &Daemon) {
    let specs = daemon.proxies.names().into_iter().filter_map(|name| daemon.proxies.spec(&name));
    let all = specs.flat_map(|s| s.groups).flat_map(|g| g.targets).map(|t| t.addr);
    let Some(addr) = simulation.hazard.random(|r| all.choose(r)) else { return };
    tracing::info!(%addr, "accident: a target is unhealthy");
    daemon.proxies.set_target(addr, TargetState::Unhealthy(Reason::Timeout));
    let unhealthy = simulation.hazard.random(|r| r.random_range(1..UNHEALTHY_MS));
    tokio::time::sleep(Duration::from_millis(unhealthy)).await;
    daemon.proxies.set_target(addr, TargetState::Healthy);
}

/// Calls an operation once. AWS refuses some of them in some states of a resource, so an error is no fault.
async fn act_as_user(simulation: &Simulation, daemon: &Daemon) {
    let Some((service, operation, input)) = chosen(simulation, &daemon.store.read()) else { return };
    let done = daemon.client.call(service, operation, input).await;
    tracing::info!(operation, error = done.err().map(|e| e.to_string()), "action of a user");
}

fn chosen(simulation: &Simulation, image: &Image) -> Option<(&'static str, &'static str, Value)> {
    Some(match simulation.hazard.random(|r| r.random_range(0..3)) {
        0 => {
            let task = simulation.hazard.random(|r| image.scan::<Task>().choose(r))?;
            ("ecs", "StopTask", json!({"cluster": task.cluster, "task": task.id}))
        }
        1 => {
            let service = simulation.hazard.random(|r| image.scan::<Service>().choose(r))?;
            let input =
                json!({"cluster": service.cluster, "service": service.name, "forceNewDeployment": true});
            ("ecs", "UpdateService", input)
        }
        _ => {
            let database = image.scan::<Instance>().next()?;
            let input = json!({"DBInstanceIdentifier": database.id, "ForceFailover": true});
            ("rds", "RebootDBInstance", input)
        }
    })
}
