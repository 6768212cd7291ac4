//! Follows what load balancers say of tasks.

use crate::calls::{self, ECS};
use escale_base::Timestamp;
use escale_service::{Caller, Cloud};
use escale_store::{ALL_TABLES, Image, Store, StoreError};
use escale_tables::ecs::{Service, TargetSeen, Task, TaskProgress};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// By target group: address and port of each target, with its state and the reason.
type Health = BTreeMap<String, BTreeMap<(String, i64), (String, String)>>;

/// Looks after each change of any row: health is a row of the load balancer's own, which only that service knows.
pub(crate) async fn watch(store: Store, cloud: Arc<Cloud>) {
    let mut changes = store.subscribe(ALL_TABLES);
    loop {
        let tasks = registered(&store.read());
        if !tasks.is_empty() {
            let health = ask(&store, &cloud, &tasks).await;
            write(&store, &tasks, &health, cloud.clock.now());
        }
        changes.changed().await;
    }
}

/// A task, and the places where it is a target: group and port.
type Registered = (Arc<Task>, Vec<(String, i64)>);

/// Tasks that are in target groups.
fn registered(image: &Image) -> Vec<Registered> {
    let mut found = Vec::new();
    for progress in image.scan::<TaskProgress>().filter(|p| p.registered && p.stopped.is_none()) {
        let Some(task) = image.get::<Task>(&progress.id) else { continue };
        let Some(service) = task.service.as_ref().and_then(|s| image.get::<Service>(&s.key)) else {
            continue;
        };
        let places = service
            .load_balancers
            .iter()
            .filter_map(|b| Some((b.target_group_arn.clone()?, i64::from(b.container_port?))));
        found.push((task, places.collect()));
    }
    found
}

async fn ask(store: &Store, cloud: &Arc<Cloud>, tasks: &[Registered]) -> Health {
    let groups: BTreeSet<&String> =
        tasks.iter().flat_map(|(_, places)| places).map(|(group, _)| group).collect();
    let mut health = Health::new();
    for group in groups {
        let input = json!({ "TargetGroupArn": group });
        let caller = Caller::service(ECS);
        let Ok(answer) = calls::call(cloud, store, &caller, "elbv2", "DescribeTargetHealth", input).await
        else {
            continue;
        };
        let mut of = BTreeMap::new();
        for d in answer["TargetHealthDescriptions"].as_array().into_iter().flatten() {
            let id = d["Target"]["Id"].as_str().unwrap_or_default().to_owned();
            let port = d["Target"]["Port"].as_i64().unwrap_or_default();
            let word = |name: &str| d["TargetHealth"][name].as_str().unwrap_or_default().to_owned();
            of.insert((id, port), (word("State"), word("Description")));
        }
        health.insert(group.clone(), of);
    }
    health
}

fn write(store: &Store, tasks: &[Registered], health: &Health, now: Timestamp) {
    let image = store.read();
    let mut news = Vec::new();
    for (task, places) in tasks {
        let before = image.get::<TargetSeen>(&task.id);
        let ip = task.private_ip.to_string();
        let state = |(group, port): &(String, i64)| {
            let of = health.get(group)?;
            let known = of.get(&(ip.clone(), *port)).cloned();
            Some((group.clone(), known.unwrap_or_else(|| ("unused".into(), "not registered".into()))))
        };
        let groups: BTreeMap<_, _> = places.iter().filter_map(state).collect();
        let sick = groups.values().any(|(state, _)| state == "unhealthy");
        let since = before.as_ref().and_then(|b| b.unhealthy_since).unwrap_or(now);
        let seen = TargetSeen { task: task.id.clone(), groups, unhealthy_since: sick.then_some(since) };
        if before.as_deref() != Some(&seen) {
            news.push(seen);
        }
    }
    if news.is_empty() {
        return;
    }
    let written = store.write(|tx| {
        news.into_iter().filter(|s| image.has::<Task>(&s.task)).for_each(|s| tx.put(s));
        Ok::<_, StoreError>(())
    });
    if let Err(error) = written {
        tracing::error!(%error, "the health of targets could not be written");
    }
}
