//! Container Insights, of the clusters whose setting `containerInsights` asks for it. Its values "enabled" and "enhanced" report the
//! same metrics: those of single tasks and containers, which "enhanced" adds on AWS, are not measured.
//!
//! Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Container-Insights-metrics-ECS.html>

use super::{
    batch::{Batch, Labels, Name},
    counters::Counters,
    tasks::UNITS,
};
use crate::choices::StandardUnit::{self, BytesPerSecond, Count, Megabytes};
use escale_containers::Containers;
use escale_metrics::Summary;
use escale_network::{Network, ObservedInterface};
use escale_store::{Image, Row, Store};
use escale_tables::ecs::{
    Cluster, ClusterSettingName, Phase, Service, Task, TaskDefinition, TaskProgress, TaskSeen,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

const MIB: f64 = 1024.0 * 1024.0;

pub(super) async fn read(
    store: &Store,
    containers: &dyn Containers,
    network: &dyn Network,
    counters: &mut Counters,
    batch: &mut Batch,
) {
    let running = running(&store.read(), batch);
    let mut links = BTreeMap::new();
    for vpc in running.iter().map(|(task, _)| task.vpc.as_str()).collect::<BTreeSet<_>>() {
        let seen = network.observe(vpc).await.ok().flatten();
        links.extend(seen.into_iter().flat_map(|seen| seen.interfaces));
    }
    for (task, definition) in running {
        let mut values = vec![
            ("CpuReserved", StandardUnit::None, f64::from(definition.cpu)),
            ("MemoryReserved", Megabytes, f64::from(definition.memory_mib)),
        ];
        let now = batch.pass.now;
        // A task that has ended meanwhile has no usage.
        if let Ok(stats) = containers.stats(task.id.as_str()).await {
            values.push(("MemoryUtilized", Megabytes, stats.group.memory_bytes as f64 / MIB));
            let used = counters.rate(format!("insights/cpu/{}", task.id), stats.group.cpu_us, now);
            let units = |(us, secs): (u64, i64)| us as f64 / (secs as f64 * 1e6) * UNITS;
            values.extend(used.map(|used| ("CpuUtilized", StandardUnit::None, units(used))));
        }
        let link = links.get(task.interface.as_str());
        values.extend(link.into_iter().flat_map(|link| transferred(&task, link, counters, now)));
        report(&task, &values, batch);
    }
}

/// The tasks that run in observed clusters. Also counts the tasks and services of each.
fn running(image: &Image, batch: &mut Batch) -> Vec<(Arc<Task>, Arc<TaskDefinition>)> {
    let clusters: BTreeSet<String> =
        image.scan::<Cluster>().filter(|c| is_observed(c)).map(|c| c.name.to_string()).collect();
    if clusters.is_empty() {
        return Vec::new();
    }
    let tasks: Vec<Arc<Task>> =
        image.scan::<Task>().filter(|t| clusters.contains(t.cluster.as_str())).collect();
    count(image, &clusters, &tasks, batch);
    let defined = |task: Arc<Task>| {
        let definition = TaskDefinition::key_of(&task.family, task.revision);
        Some((Arc::clone(&task), image.get::<TaskDefinition>(&definition)?))
    };
    tasks.into_iter().filter(|t| state(image, t) == Some(State::Running)).filter_map(defined).collect()
}

fn is_observed(cluster: &Cluster) -> bool {
    let asks = |setting: &escale_tables::ecs::ClusterSetting| {
        setting.name == ClusterSettingName::ContainerInsights && setting.value != "disabled"
    };
    cluster.deleted.is_none() && cluster.settings.iter().any(asks)
}

fn transferred(
    task: &Task,
    link: &ObservedInterface,
    counters: &mut Counters,
    now: i64,
) -> Vec<(&'static str, StandardUnit, f64)> {
    let counted = [("NetworkRxBytes", link.received_bytes), ("NetworkTxBytes", link.sent_bytes)].map(
        |(name, bytes)| {
            let (since, secs) = counters.rate(format!("insights/{name}/{}", task.id), bytes, now)?;
            Some((name, BytesPerSecond, since as f64 / secs as f64))
        },
    );
    counted.into_iter().flatten().collect()
}

/// A value of a task counts for its cluster, its family and its service.
fn report(task: &Task, values: &[(&'static str, StandardUnit, f64)], batch: &mut Batch) {
    let cluster = [("ClusterName", task.cluster.as_str())];
    let family = [cluster[0], ("TaskDefinitionFamily", task.family.as_str())];
    let service = task.service.as_ref().map(|of| of.key.as_str().rsplit('/').next().unwrap_or_default());
    let service = service.map(|name| [cluster[0], ("ServiceName", name)]);
    let mut labels: Vec<Labels<'_>> = vec![&cluster, &family];
    labels.extend(service.as_ref().map(|pairs| pairs as Labels<'_>));
    for (name, unit, value) in values {
        batch.minute(metric(name, *unit), &labels, &Summary::of(*value));
    }
}

fn metric(name: &'static str, unit: StandardUnit) -> Name<'static> {
    Name { space: "ECS/ContainerInsights", name, unit }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Pending,
    Running,
}

/// As ECS counts tasks: one that stops is neither, and one behind a load balancer runs once it is in its target groups.
fn state(image: &Image, task: &Task) -> Option<State> {
    let progress = image.get::<TaskProgress>(&task.id).unwrap_or_default();
    let phase = image.get::<TaskSeen>(&task.id).map(|seen| seen.phase);
    let has_ended = progress.failed.is_some() || progress.stopped.is_some();
    if task.stop.is_some() || has_ended || matches!(phase, Some(Phase::Stopping | Phase::Stopped)) {
        return None;
    }
    let balanced = task.service.as_ref().is_some_and(|of| {
        image.get::<Service>(&of.key).is_some_and(|row| !row.load_balancers_of(&of.deployment).is_empty())
    });
    let is_running = phase == Some(Phase::Running) && (!balanced || progress.registered);
    Some(if is_running { State::Running } else { State::Pending })
}

/// Numbers of tasks and services.
fn count(image: &Image, clusters: &BTreeSet<String>, tasks: &[Arc<Task>], batch: &mut Batch) {
    let states: Vec<(&Arc<Task>, State)> =
        tasks.iter().filter_map(|task| Some((task, state(image, task)?))).collect();
    let services: Vec<Arc<Service>> = image
        .scan::<Service>()
        .filter(|s| s.deleted.is_none() && clusters.contains(s.cluster.as_str()))
        .collect();
    for cluster in clusters {
        let labels: Labels<'_> = &[("ClusterName", cluster)];
        let running = states
            .iter()
            .filter(|(task, state)| task.cluster.as_str() == cluster && *state == State::Running);
        let running = running.count() as f64;
        batch.minute(metric("TaskCount", Count), &[labels], &Summary::of(running));
        let own = services.iter().filter(|s| s.cluster.as_str() == cluster).count() as f64;
        batch.minute(metric("ServiceCount", Count), &[labels], &Summary::of(own));
    }
    for service in &services {
        let key = service.key();
        let is_own = |task: &Task| task.service.as_ref().is_some_and(|of| of.key.as_str() == key);
        let of =
            |wanted| states.iter().filter(|(task, state)| *state == wanted && is_own(task)).count() as f64;
        let labels: Labels<'_> =
            &[("ClusterName", service.cluster.as_str()), ("ServiceName", service.name.as_str())];
        for (name, value) in [
            ("DesiredTaskCount", f64::from(service.desired)),
            ("RunningTaskCount", of(State::Running)),
            ("PendingTaskCount", of(State::Pending)),
            ("DeploymentCount", service.deployments.len() as f64),
        ] {
            batch.minute(metric(name, Count), &[labels], &Summary::of(value));
        }
    }
}
