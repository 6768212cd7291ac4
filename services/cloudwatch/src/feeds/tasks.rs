//! Usage of tasks: CPU and memory as a share of what the task reserves.
//!
//! Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html>

use super::{
    batch::{Batch, Name},
    counters::Counters,
};
use crate::choices::StandardUnit;
use escale_containers::Containers;
use escale_metrics::Summary;
use escale_store::{Image, Store};
use escale_tables::ecs::{Phase, Service, ServiceMetric, Task, TaskDefinition, TaskId, TaskSeen};

/// CPU units of one CPU.
pub(super) const UNITS: f64 = 1024.0;

/// A running task of a service.
struct Running {
    id: TaskId,
    cluster: String,
    service: String,
    cpu_units: f64,
    memory_bytes: f64,
    /// Seconds between the values of each metric.
    cpu_every: i64,
    memory_every: i64,
}

pub(super) async fn read(
    store: &Store,
    containers: &dyn Containers,
    counters: &mut Counters,
    batch: &mut Batch,
) {
    let due = running(&store.read(), batch);
    for task in due {
        // It has ended meanwhile, and has no usage.
        let Ok(stats) = containers.stats(task.id.as_str()).await else { continue };
        let labels: [&[(&str, &str)]; 1] =
            [&[("ClusterName", &task.cluster), ("ServiceName", &task.service)]];
        let name = |name| Name { space: "AWS/ECS", name, unit: StandardUnit::Percent };
        let pass = batch.pass;
        if pass.now % task.cpu_every == 0
            && let Some((used_us, secs)) =
                counters.rate(format!("cpu/{}", task.id), stats.group.cpu_us, pass.now)
        {
            let percent = used_us as f64 / (secs as f64 * 1e6 * task.cpu_units / UNITS) * 100.0;
            let fine = task.cpu_every < pass.minute;
            batch.add(name("CPUUtilization"), &labels, &Summary::of(percent), task.cpu_every, fine);
        }
        if pass.now % task.memory_every == 0 {
            let percent = stats.group.memory_bytes as f64 / task.memory_bytes * 100.0;
            let fine = task.memory_every < pass.minute;
            batch.add(name("MemoryUtilization"), &labels, &Summary::of(percent), task.memory_every, fine);
        }
    }
}

/// The running tasks whose interval ends with this pass.
fn running(image: &Image, batch: &Batch) -> Vec<Running> {
    let (pass, mut due) = (batch.pass, Vec::new());
    for seen in image.scan::<TaskSeen>().filter(|seen| seen.phase == Phase::Running) {
        let Some(task) = image.get::<Task>(&seen.id) else { continue };
        let Some(of) = &task.service else { continue };
        let Some(service) = image.get::<Service>(&of.key) else { continue };
        let every = |metric| {
            let own = service.monitoring.iter().find(|m| m.metric_names.contains(&metric));
            if own.is_some_and(|m| m.resolution_seconds < 60) { pass.short } else { pass.minute }
        };
        let (cpu_every, memory_every) = (every(ServiceMetric::Cpu), every(ServiceMetric::Memory));
        if pass.now % cpu_every.min(memory_every) != 0 {
            continue;
        }
        let key = TaskDefinition::key_of(&task.family, task.revision);
        let Some(definition) = image.get::<TaskDefinition>(&key) else { continue };
        due.push(Running {
            id: task.id.clone(),
            cluster: task.cluster.to_string(),
            service: service.name.to_string(),
            cpu_units: f64::from(definition.cpu),
            memory_bytes: f64::from(definition.memory_mib) * 1024.0 * 1024.0,
            cpu_every,
            memory_every,
        });
    }
    due
}
