//! What happens at any time to what runs. Accidents: a task's process, a database server, the answer of a target. Errands of
//! users: a task is stopped, a service deployed anew, a database failed over.

use crate::world::{Life, World};
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

/// Between two accidents, at most.
const APART_MS: u64 = 40_000;
/// How long a target fails its health checks, at most.
const SICK_MS: u64 = 60_000;

/// Until the weather has no more accidents; then it only waits.
pub(crate) async fn happen(world: &World, life: &Life) -> Result<Infallible> {
    loop {
        let pause = world.hazard.random(|r| r.random_range(1..APART_MS));
        tokio::time::sleep(Duration::from_millis(pause)).await;
        if world.hazard.take_errand() {
            errand(world, life).await;
        }
        if !world.hazard.take_accident() {
            continue;
        }
        match world.hazard.random(|r| r.random_range(0..3)) {
            0 => kill_a_container(world, life),
            1 => kill_a_server(world).await?,
            _ => sicken_a_target(world, life).await,
        }
    }
}

fn kill_a_container(world: &World, life: &Life) {
    let groups = life.containers.list();
    let all = groups.values().flat_map(|g| g.containers.keys().map(|c| (g.id.clone(), c.clone())));
    if let Some((group, container)) = world.hazard.random(|r| all.choose(r)) {
        tracing::info!(group, container, "accident: a container dies");
        world.containers.kill(&group, &container);
    }
}

async fn kill_a_server(world: &World) -> Result<()> {
    for name in world.postgres.list().await? {
        let Some(seen) = world.postgres.observe(&name).await? else { continue };
        let nodes = seen.nodes.iter().map(|n| n.name.clone());
        if let Some(node) = world.hazard.random(|r| nodes.choose(r)) {
            tracing::info!(name, node, primary = seen.primary, "accident: a database server dies");
            world.postgres.kill(&name, &node);
        }
    }
    Ok(())
}

async fn sicken_a_target(world: &World, life: &Life) {
    let specs = life.proxies.names().into_iter().filter_map(|name| life.proxies.spec(&name));
    let all = specs.flat_map(|s| s.groups).flat_map(|g| g.targets).map(|t| t.addr);
    let Some(addr) = world.hazard.random(|r| all.choose(r)) else { return };
    tracing::info!(%addr, "accident: a target is sick");
    life.proxies.set_target(addr, TargetState::Unhealthy(Reason::Timeout));
    let sick = world.hazard.random(|r| r.random_range(1..SICK_MS));
    tokio::time::sleep(Duration::from_millis(sick)).await;
    life.proxies.set_target(addr, TargetState::Healthy);
}

/// What cannot be done at this moment is refused, and then it is not done.
async fn errand(world: &World, life: &Life) {
    let Some((service, operation, input)) = chosen(world, &life.store.read()) else { return };
    let done = life.client.call(service, operation, input).await;
    tracing::info!(operation, error = done.err().map(|e| e.to_string()), "errand");
}

fn chosen(world: &World, image: &Image) -> Option<(&'static str, &'static str, Value)> {
    Some(match world.hazard.random(|r| r.random_range(0..3)) {
        0 => {
            let task = world.hazard.random(|r| image.scan::<Task>().choose(r))?;
            ("ecs", "StopTask", json!({"cluster": task.cluster, "task": task.id}))
        }
        1 => {
            let service = world.hazard.random(|r| image.scan::<Service>().choose(r))?;
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
