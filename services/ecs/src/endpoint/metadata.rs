//! The JSON of task metadata, version 4.

use crate::{
    reconcile::metadata_id,
    rules, shapes,
    status::{self, Known},
};
use escale_containers::{Stats, Usage};
use escale_service::Config;
use escale_tables::ecs::{ContainerName, ContainerState};
use serde_json::{Map, Value, json};

/// The container whose id is in the path.
pub(super) fn container_of(known: &Known, id: &str) -> Option<ContainerName> {
    let all = &known.definition.as_ref()?.containers;
    all.iter().map(|c| &c.name).find(|name| metadata_id(&known.task.id, name) == id).cloned()
}

pub(super) fn container(known: &Known, name: &str, config: &Config) -> Value {
    let task = &known.task;
    let definition = known.definition.as_ref().and_then(|d| d.containers.iter().find(|c| c.name == name));
    let seen = known.seen.as_ref().and_then(|s| s.containers.get(name));
    let status = status::container_status(seen.map(|s| &s.state));
    let mut value = json!({
        "DockerId": metadata_id(&task.id, name),
        "Name": name,
        "DockerName": name,
        "Image": definition.map(|c| c.image.clone()),
        "ImageID": known.progress.images.get(name),
        "Labels": {
            "com.amazonaws.ecs.cluster": rules::cluster_arn(config, &task.cluster),
            "com.amazonaws.ecs.container-name": name,
            "com.amazonaws.ecs.task-arn": rules::task_arn(config, task),
            "com.amazonaws.ecs.task-definition-family": task.family,
            "com.amazonaws.ecs.task-definition-version": task.revision.to_string(),
        },
        "DesiredStatus": known.desired().as_str(),
        "KnownStatus": status.as_str(),
        "Limits": { "CPU": definition.map_or(0, |c| c.cpu) },
        "CreatedAt": task.created.iso8601(),
        "Type": "NORMAL",
        "ContainerARN": rules::arn(
            config,
            format!("container/{}/{}/{}", task.cluster, task.id, shapes::uuid_of(&task.id, name)),
        ),
        "Networks": [{ "NetworkMode": "awsvpc", "IPv4Addresses": [task.private_ip.to_string()] }],
        "Snapshotter": "overlayfs",
    });
    if let Some(started) = known.seen.as_ref().and_then(|s| s.started) {
        value["StartedAt"] = started.iso8601().into();
    }
    if let Some(ContainerState::Ended { code: Some(code), .. }) = seen.map(|s| &s.state) {
        value["ExitCode"] = (*code).into();
    }
    if let Some(log) = definition.and_then(|c| c.log_configuration.as_ref()) {
        value["LogDriver"] = log.log_driver.as_str().into();
        value["LogOptions"] = json!(log.options);
    }
    value
}

pub(super) fn task(known: &Known, config: &Config) -> Value {
    let task = &known.task;
    let Some(definition) = &known.definition else { return Value::Null };
    let (cpu, memory) = shapes::size_of(definition, &task.overrides);
    let containers: Vec<Value> =
        definition.containers.iter().map(|c| container(known, &c.name, config)).collect();
    let mut value = json!({
        "Cluster": rules::cluster_arn(config, &task.cluster),
        "TaskARN": rules::task_arn(config, task),
        "Family": task.family,
        "Revision": task.revision.to_string(),
        "DesiredStatus": known.desired().as_str(),
        "KnownStatus": known.status().as_str(),
        "Limits": { "CPU": f64::from(cpu) / 1024.0, "Memory": memory },
        "AvailabilityZone": task.zone,
        "LaunchType": "FARGATE",
        "VPCID": task.vpc,
        "Containers": containers,
    });
    if let Some(name) = task.service.as_ref().map(|s| rules::last_part(&s.key)) {
        value["ServiceName"] = name.into();
    }
    for (member, at) in
        [("PullStartedAt", known.progress.pull_started), ("PullStoppedAt", known.progress.pull_stopped)]
    {
        if let Some(at) = at {
            value[member] = at.iso8601().into();
        }
    }
    value
}

/// The part of Docker's statistics that the containers plane measures.
pub(super) fn stats(all: &Stats, container: &str) -> Value {
    all.containers.get(container).map_or(Value::Null, usage)
}

pub(super) fn all_stats(known: &Known, all: &Stats) -> Value {
    let of = |(name, u): (&String, &Usage)| (metadata_id(&known.task.id, name), usage(u));
    Value::Object(all.containers.iter().map(of).collect::<Map<_, _>>())
}

fn usage(u: &Usage) -> Value {
    json!({
        "cpu_stats": { "cpu_usage": { "total_usage": u.cpu_us * 1000 } },
        "memory_stats": { "usage": u.memory_bytes, "limit": u.memory_limit_bytes },
        "pids_stats": { "current": u.pids },
    })
}
