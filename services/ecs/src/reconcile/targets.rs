//! Follows the health of tasks in target groups.

use crate::calls::ECS;
use escale_base::Timestamp;
use escale_requests::elbv2::{DescribeTargetHealth, TargetHealthDescription};
use escale_service::{Caller, Cloud};
use escale_store::{ALL_TABLES, Image, Store, StoreError};
use escale_tables::{
    ecs::{Service, TargetSeen, Task, TaskProgress},
    elbv2::TargetHealthState,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    sync::Arc,
};

/// By target group: address and port of each target, with its state and the reason.
type Health = BTreeMap<String, BTreeMap<(Ipv4Addr, i64), (TargetHealthState, String)>>;

/// Asks for target health after every change of any row: ECS does not know in which rows the load balancer keeps it.
pub(crate) async fn watch(store: Store, cloud: Arc<Cloud>) {
    let mut changes = store.subscribe(ALL_TABLES);
    loop {
        let tasks = registered(&store.read());
        if !tasks.is_empty() {
            let health = describe_health(&store, &cloud, &tasks).await;
            write(&store, &tasks, &health, cloud.clock.now());
        }
        changes.changed().await;
    }
}

/// A task and its targets, as target group and port.
type Registered = (Arc<Task>, Vec<(String, i64)>);

/// The tasks that are registered in target groups.
fn registered(image: &Image) -> Vec<Registered> {
    let mut found = Vec::new();
    for progress in image.scan::<TaskProgress>().filter(|p| p.registered && p.stopped.is_none()) {
        let Some(task) = image.get::<Task>(&progress.id) else { continue };
        let Some(of) = &task.service else { continue };
        let Some(service) = image.get::<Service>(&of.key) else { continue };
        let places = service
            .load_balancers_of(&of.deployment)
            .iter()
            .filter_map(|b| Some((b.target_group_arn.as_ref()?.to_string(), i64::from(b.container_port?))));
        let places = places.collect();
        found.push((task, places));
    }
    found
}

async fn describe_health(store: &Store, cloud: &Arc<Cloud>, tasks: &[Registered]) -> Health {
    let groups: BTreeSet<&String> =
        tasks.iter().flat_map(|(_, places)| places).map(|(group, _)| group).collect();
    let mut health = Health::new();
    for group in groups {
        let describe = DescribeTargetHealth { target_group_arn: group.clone() };
        // Without an answer, such as for a deleted group, the observation of the task leaves the group out.
        let Ok(answer) = escale_service::request(cloud, store, &Caller::service(ECS), describe).await else {
            continue;
        };
        let state = |d: TargetHealthDescription| {
            let why = d.target_health.description.unwrap_or_default();
            ((d.target.id, d.target.port), (d.target_health.state, why))
        };
        health.insert(group.clone(), answer.target_health_descriptions.into_iter().map(state).collect());
    }
    health
}

fn write(store: &Store, tasks: &[Registered], health: &Health, now: Timestamp) {
    let image = store.read();
    let mut changed = Vec::new();
    for (task, places) in tasks {
        let before = image.get::<TargetSeen>(&task.id);
        let state = |(group, port): &(String, i64)| {
            let of = health.get(group)?;
            let known = of.get(&(task.private_ip, *port)).cloned();
            Some((
                group.clone(),
                known.unwrap_or_else(|| (TargetHealthState::Unused, "not registered".into())),
            ))
        };
        let groups: BTreeMap<_, _> = places.iter().filter_map(state).collect();
        let is_unhealthy = groups.values().any(|(state, _)| *state == TargetHealthState::Unhealthy);
        let is_healthy =
            !groups.is_empty() && groups.values().all(|(state, _)| *state == TargetHealthState::Healthy);
        let has_served = is_healthy || before.as_ref().is_some_and(|b| b.has_served);
        let since = before.as_ref().and_then(|b| b.unhealthy_since).unwrap_or(now);
        let unhealthy_since = is_unhealthy.then_some(since);
        let seen = TargetSeen { task: task.id.clone(), groups, unhealthy_since, has_served };
        // Each write wakes reconcilers, so an unchanged row is not written.
        if before.as_deref() != Some(&seen) {
            changed.push(seen);
        }
    }
    if changed.is_empty() {
        return;
    }
    let written = store.write(|tx| {
        for seen in changed {
            // The task may have been deleted since `image`.
            if tx.has::<Task>(seen.task.as_str()) {
                tx.put(seen);
            }
        }
        Ok::<_, StoreError>(())
    });
    if let Err(error) = written {
        tracing::error!(%error, "cannot write the health of targets");
    }
}
