//! The spec of a task for the containers plane.

use crate::{shapes, status::Known};
use escale_base::Secret;
use escale_containers::spec::{
    Condition, ContainerSpec, DependsOn, Dns, GroupSpec, HealthCheck, Limits, Mount, MountSource, Network,
    Security, Ulimit, VolumesFrom,
};
use escale_service::Config;
use escale_store::Image;
use escale_tables::{
    ec2::{DhcpOptions, DhcpOptionsAssociation, NameServer, Vpc},
    ecs::{ContainerCondition, ContainerDefinition, ContainerOverride, RoleReference, Task, TaskDefinition},
};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
};

/// AWS's default for the time from the stop signal to SIGKILL.
const STOP_TIMEOUT_SECS: i32 = 30;
/// AWS's default for how long a container may take to reach the state that a `dependsOn` requires.
const START_TIMEOUT_SECS: i32 = 180;

/// Where a container finds the certificates that it should trust: those that the host trusts, and the one of AWS's names inside
/// the cloud.
const CA_BUNDLE: &str = "/etc/escale/ca-bundle.pem";
/// The variables by which clients find it: AWS's SDKs, OpenSSL and Go, Node.js, Python's requests. They are set unless the task
/// definition sets them. The image's own values give way, because images set them to the system's certificates.
const CA_VARIABLES: [&str; 4] =
    ["AWS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE"];

/// The address that serves metadata and credentials to a task.
pub(crate) const ENDPOINT: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 2);

/// The parts of a spec that are not in the task's rows.
pub(crate) struct Parts<'a> {
    pub config: &'a Config,
    pub dns: Dns,
    pub namespace: PathBuf,
    /// On the host.
    pub ca_bundle: &'a Path,
    /// By container.
    pub images: &'a BTreeMap<String, String>,
    /// By container, then by variable.
    pub secrets: BTreeMap<String, BTreeMap<String, Secret<String>>>,
}

pub(crate) fn spec(known: &Known, definition: &TaskDefinition, parts: &Parts<'_>) -> GroupSpec {
    let task = &known.task;
    let (cpu, memory_mib) = shapes::size_of(definition, &task.overrides);
    let hostname = format!(
        "ip-{}.{}.compute.internal",
        task.private_ip.to_string().replace('.', "-"),
        parts.config.region
    );
    GroupSpec {
        id: task.id.to_string(),
        zone: task.zone.to_string(),
        network: Network::Namespace(parts.namespace.clone()),
        hosts: vec![(IpAddr::V4(task.private_ip), hostname.clone())],
        hostname,
        dns: parts.dns.clone(),
        limits: Limits {
            cpu_millis: Some(cpu * 1000 / 1024),
            memory_bytes: Some(mib(memory_mib)),
            storage_bytes: Some(gib(shapes::ephemeral_storage(definition, &task.overrides).size_gib)),
            ..Limits::default()
        },
        volumes: definition.volumes.iter().map(ToString::to_string).collect(),
        containers: definition.containers.iter().map(|c| container(task, definition, c, parts)).collect(),
    }
}

/// As on AWS, tasks get the domain name and the name servers of the VPC's DHCP options when they start.
pub(crate) fn dns(image: &Image, vpc: &Vpc) -> Dns {
    let options = image.get::<DhcpOptionsAssociation>(vpc.id.as_str());
    let options = options.and_then(|row| image.get::<DhcpOptions>(row.options.as_str()));
    // As on AWS, the VPC's resolver is at the base of its network plus two.
    let own = Ipv4Addr::from(u32::from(vpc.cidr.network()) + 2);
    let Some(options) = options else { return Dns { nameservers: vec![own.into()], ..Dns::default() } };
    let server = |server: &NameServer| match server {
        NameServer::Own => own.into(),
        NameServer::Address(address) => IpAddr::V4(*address),
    };
    Dns {
        nameservers: options.name_servers.iter().map(server).collect(),
        search: options.domain_name.iter().map(ToString::to_string).collect(),
        ..Dns::default()
    }
}

fn gib(gib: u32) -> u64 {
    u64::from(gib) * 1024 * 1024 * 1024
}

fn mib(mib: u32) -> u64 {
    u64::from(mib) * 1024 * 1024
}

fn container(
    task: &Task,
    definition: &TaskDefinition,
    c: &ContainerDefinition,
    parts: &Parts<'_>,
) -> ContainerSpec {
    let over = task.overrides.container_overrides.iter().find(|o| o.name == c.name);
    let size = |n: Option<i32>| n.and_then(|n| u32::try_from(n).ok());
    let cpu = size(over.and_then(|o| o.cpu).or(Some(c.cpu))).filter(|n| *n > 0);
    let memory = size(over.and_then(|o| o.memory).or(c.memory));
    let reservation = size(over.and_then(|o| o.memory_reservation).or(c.memory_reservation));
    let capabilities = c.linux_parameters.as_ref().and_then(|l| l.capabilities.clone());
    let (add, drop) = capabilities.map_or((Vec::new(), Vec::new()), |c| (c.add, c.drop));
    let millis = |secs: i32| u64::try_from(secs).unwrap_or(0) * 1000;
    ContainerSpec {
        name: c.name.to_string(),
        image: parts.images.get(c.name.as_str()).cloned().unwrap_or_default(),
        entrypoint: c.entry_point.clone(),
        command: over.and_then(|o| o.command.clone()).or_else(|| c.command.clone()),
        env: environment(task, definition, c, over, parts),
        user: c.user.clone(),
        workdir: c.working_directory.clone(),
        mounts: c.mount_points.iter().map(mount).chain([certificates(parts.ca_bundle)]).collect(),
        volumes_from: c.volumes_from.iter().map(volumes_from).collect(),
        limits: Limits {
            // The CPU of a container is only a share of the task's, as on Fargate.
            cpu_millis: None,
            cpu_shares: cpu,
            memory_bytes: memory.map(mib),
            memory_reservation_bytes: reservation.map(mib),
            pids: None,
            storage_bytes: None,
        },
        security: Security {
            readonly_root: c.readonly_root_filesystem == Some(true),
            add_capabilities: add,
            drop_capabilities: drop,
            // As with Docker and Fargate, set-user-id programs work.
            no_new_privileges: false,
        },
        ulimits: c.ulimits.iter().flatten().map(ulimit).collect(),
        essential: c.essential,
        depends_on: dependencies(c),
        health: c.health_check.as_ref().and_then(health),
        start_timeout_ms: millis(c.start_timeout.unwrap_or(START_TIMEOUT_SECS)),
        stop_timeout_ms: millis(c.stop_timeout.unwrap_or(STOP_TIMEOUT_SECS)),
        stop_signal: None,
    }
}

fn environment(
    task: &Task,
    definition: &TaskDefinition,
    c: &ContainerDefinition,
    over: Option<&ContainerOverride>,
    parts: &Parts<'_>,
) -> BTreeMap<String, Secret<String>> {
    let config = parts.config;
    let mut env = BTreeMap::new();
    let mut set = |name: &str, value: String| drop(env.insert(name.to_owned(), Secret::new(value)));
    set("AWS_EXECUTION_ENV", "AWS_ECS_FARGATE".into());
    set("AWS_REGION", config.region.clone());
    set("AWS_DEFAULT_REGION", config.region.clone());
    set("ECS_CONTAINER_METADATA_URI_V4", format!("http://{ENDPOINT}/v4/{}", metadata_id(&task.id, &c.name)));
    set("ECS_AGENT_URI", format!("http://{ENDPOINT}/api/{}", metadata_id(&task.id, &c.name)));
    if role_of(task, definition).is_some() {
        let path = format!("/v2/credentials/{}", task.credentials_id);
        set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", path);
    }
    for name in CA_VARIABLES {
        set(name, CA_BUNDLE.into());
    }
    // The later source wins: the definition over ECS's own variables, overrides over the definition, secrets over both.
    for pair in &c.environment {
        set(&pair.name, pair.value.clone());
    }
    for pair in over.iter().flat_map(|o| o.environment.iter().flatten()) {
        set(&pair.name, pair.value.clone());
    }
    env.extend(parts.secrets.get(c.name.as_str()).cloned().unwrap_or_default());
    env
}

/// The role whose credentials the task gets.
pub(crate) fn role_of<'a>(task: &'a Task, definition: &'a TaskDefinition) -> Option<&'a RoleReference> {
    task.overrides.task_role_arn.as_ref().or(definition.task_role.as_ref())
}

/// The role under which ECS starts the task.
pub(crate) fn execution_role_of<'a>(
    task: &'a Task,
    definition: &'a TaskDefinition,
) -> Option<&'a RoleReference> {
    task.overrides.execution_role_arn.as_ref().or(definition.execution_role.as_ref())
}

/// The id of a container in the paths of the metadata endpoint.
pub(crate) fn metadata_id(task: &str, container: &str) -> String {
    format!("{task}-{}", &shapes::uuid_of(task, container)[..8])
}

fn mount(m: &escale_tables::ecs::MountPoint) -> Mount {
    Mount {
        source: MountSource::Volume(m.source_volume.to_string()),
        target: m.container_path.clone(),
        readonly: m.read_only == Some(true),
    }
}

fn certificates(on_host: &Path) -> Mount {
    Mount { source: MountSource::Host(on_host.to_owned()), target: CA_BUNDLE.into(), readonly: true }
}

fn ulimit(u: &escale_tables::ecs::Ulimit) -> Ulimit {
    let number = |n: i64| u64::try_from(n).unwrap_or(u64::MAX);
    Ulimit { name: u.name.to_string(), soft: number(u.soft_limit), hard: number(u.hard_limit) }
}

fn volumes_from(v: &escale_tables::ecs::VolumeFrom) -> VolumesFrom {
    VolumesFrom { container: v.source_container.to_string(), readonly: v.read_only == Some(true) }
}

/// As on AWS, the source of `volumesFrom` starts first: then its volumes have the files of its image.
fn dependencies(c: &ContainerDefinition) -> Vec<DependsOn> {
    let mut all: Vec<DependsOn> = c.depends_on.iter().flatten().map(dependency).collect();
    for from in &c.volumes_from {
        if !all.iter().any(|d| d.container == from.source_container.as_str()) {
            let container = from.source_container.to_string();
            all.push(DependsOn { container, condition: Condition::Start });
        }
    }
    all
}

fn dependency(d: &escale_tables::ecs::Dependency) -> DependsOn {
    let condition = match d.condition {
        ContainerCondition::Complete => Condition::Complete,
        ContainerCondition::Success => Condition::Success,
        ContainerCondition::Healthy => Condition::Healthy,
        ContainerCondition::Start => Condition::Start,
    };
    DependsOn { container: d.container_name.to_string(), condition }
}

/// Fills in AWS's default times.
fn health(h: &escale_tables::ecs::HealthCheck) -> Option<HealthCheck> {
    let (kind, rest) = h.command.split_first()?;
    let command = match kind.as_str() {
        "CMD" => rest.to_vec(),
        "CMD-SHELL" => vec!["/bin/sh".into(), "-c".into(), rest.join(" ")],
        _ => return None,
    };
    let millis = |secs: Option<i32>, default: i32| u64::try_from(secs.unwrap_or(default)).unwrap_or(0) * 1000;
    Some(HealthCheck {
        command,
        interval_ms: millis(h.interval, 30),
        timeout_ms: millis(h.timeout, 5),
        retries: h.retries.and_then(|r| u32::try_from(r).ok()).unwrap_or(3),
        start_period_ms: millis(h.start_period, 0),
    })
}
