//! Shapes that several operations return.

use crate::{
    choices::{
        AvailabilityZoneRebalancing, ClusterStatus, Connectivity, DeploymentControllerType, DeploymentStatus,
        DesiredStatus, HealthStatus, LaunchType, NetworkMode, RolloutState, SchedulingStrategy,
        ServiceStatus, TaskDefinitionStatus, TaskStopCode,
    },
    rules::{self, TagShape},
    status::{self, Known, Status},
    strategy,
};
use escale_base::{Timestamp, Wire, wire::Value};
use escale_service::Config;
use escale_store::Image;
use escale_tables::PrincipalArn;
use escale_tables::ec2::ZoneName;
use escale_tables::ecs::{
    AwsVpc, CapacityProvider, Cluster, ClusterName, ClusterSetting, Compatibility, ContainerDefinition,
    ContainerName, ContainerState, Deployment, DeploymentAlarms, DeploymentId, DeploymentStrategy,
    EphemeralStorage, Family, KeyValue, Launch, LoadBalancer, MetricConfiguration, Outcome, Overrides,
    Platform, PlatformVersion, PropagateTags, RoleReference, RolloutConfiguration, Service, ServiceEvents,
    ServiceName, ServiceRegistry, StrategyItem, Task, TaskDefinition, Threshold, VolumeName,
};
use std::sync::Arc;

#[derive(Debug, Wire)]
#[wire(camelCase)]
pub(crate) struct ClusterShape {
    pub cluster_arn: String,
    pub cluster_name: ClusterName,
    pub status: ClusterStatus,
    pub registered_container_instances_count: i32,
    pub running_tasks_count: i32,
    pub pending_tasks_count: i32,
    pub active_services_count: i32,
    pub statistics: Vec<KeyValue>,
    pub tags: Vec<TagShape>,
    pub settings: Vec<ClusterSetting>,
    pub capacity_providers: Vec<CapacityProvider>,
    pub default_capacity_provider_strategy: Vec<StrategyItem>,
}

pub(crate) fn cluster(image: &Image, config: &Config, row: &Cluster) -> ClusterShape {
    let tasks: Vec<Arc<Task>> = image.scan::<Task>().filter(|t| t.cluster == row.name).collect();
    let (running, pending) = status::count(image, tasks.iter());
    let prefix = format!("{}/", row.name);
    let services = image.prefix::<Service>(&prefix).filter(|s| s.deleted.is_none()).count();
    ClusterShape {
        cluster_arn: rules::cluster_arn(config, &row.name),
        cluster_name: row.name.clone(),
        status: if row.deleted.is_some() { ClusterStatus::Inactive } else { ClusterStatus::Active },
        registered_container_instances_count: 0,
        running_tasks_count: running,
        pending_tasks_count: pending,
        active_services_count: services as i32,
        statistics: Vec::new(),
        tags: rules::tags_out(&row.tags),
        settings: row.settings.clone(),
        capacity_providers: row.capacity_providers.clone(),
        default_capacity_provider_strategy: row.default_strategy.clone(),
    }
}

#[derive(Debug, Wire)]
#[wire(camelCase)]
pub(crate) struct DefinitionShape {
    pub task_definition_arn: String,
    pub container_definitions: Vec<ContainerDefinition>,
    pub family: Family,
    pub task_role_arn: Option<RoleReference>,
    pub execution_role_arn: Option<RoleReference>,
    pub network_mode: NetworkMode,
    pub revision: u32,
    pub volumes: Vec<VolumeShape>,
    pub status: TaskDefinitionStatus,
    pub placement_constraints: Vec<Value>,
    pub compatibilities: Vec<Compatibility>,
    pub requires_compatibilities: Vec<Compatibility>,
    pub runtime_platform: Option<Platform>,
    pub cpu: String,
    pub memory: String,
    pub ephemeral_storage: Option<EphemeralStorage>,
    pub registered_at: Timestamp,
    pub registered_by: PrincipalArn,
    pub deregistered_at: Option<Timestamp>,
    pub delete_requested_at: Option<Timestamp>,
}

#[derive(Debug, Wire)]
#[wire(camelCase)]
pub(crate) struct VolumeShape {
    pub name: VolumeName,
}

pub(crate) fn definition(config: &Config, row: &TaskDefinition) -> DefinitionShape {
    DefinitionShape {
        task_definition_arn: rules::definition_arn(config, &row.family, row.revision),
        container_definitions: row.containers.clone(),
        family: row.family.clone(),
        task_role_arn: row.task_role.clone(),
        execution_role_arn: row.execution_role.clone(),
        network_mode: NetworkMode::Awsvpc,
        revision: row.revision,
        volumes: row.volumes.iter().map(|name| VolumeShape { name: name.clone() }).collect(),
        status: definition_status(row),
        placement_constraints: Vec::new(),
        compatibilities: vec![Compatibility::Ec2, Compatibility::Fargate],
        requires_compatibilities: row.requires.clone(),
        runtime_platform: row.platform.clone(),
        cpu: row.cpu.to_string(),
        memory: row.memory_mib.to_string(),
        ephemeral_storage: row.ephemeral_gib.map(|size_gib| EphemeralStorage { size_gib }),
        registered_at: row.registered,
        registered_by: row.registered_by.clone(),
        deregistered_at: row.deregistered,
        delete_requested_at: row.delete_requested,
    }
}

pub(crate) fn definition_status(row: &TaskDefinition) -> TaskDefinitionStatus {
    match (row.delete_requested, row.deregistered) {
        (Some(_), _) => TaskDefinitionStatus::DeleteInProgress,
        (None, Some(_)) => TaskDefinitionStatus::Inactive,
        (None, None) => TaskDefinitionStatus::Active,
    }
}

#[derive(Debug, Wire)]
#[wire(camelCase)]
pub(crate) struct TaskShape {
    pub attachments: Vec<AttachmentShape>,
    pub attributes: Vec<KeyValue>,
    pub availability_zone: ZoneName,
    pub capacity_provider_name: Option<CapacityProvider>,
    pub cluster_arn: String,
    pub connectivity: Option<Connectivity>,
    pub connectivity_at: Option<Timestamp>,
    pub containers: Vec<ContainerShape>,
    pub cpu: String,
    pub created_at: Timestamp,
    pub desired_status: DesiredStatus,
    pub enable_execute_command: bool,
    pub ephemeral_storage: Option<EphemeralStorage>,
    pub execution_stopped_at: Option<Timestamp>,
    pub group: String,
    pub health_status: HealthStatus,
    pub last_status: Status,
    pub launch_type: LaunchType,
    pub memory: String,
    pub overrides: Overrides,
    pub platform_version: PlatformVersion,
    pub platform_family: &'static str,
    pub pull_started_at: Option<Timestamp>,
    pub pull_stopped_at: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    pub started_by: Option<String>,
    pub stop_code: Option<TaskStopCode>,
    pub stopped_at: Option<Timestamp>,
    pub stopped_reason: Option<String>,
    pub stopping_at: Option<Timestamp>,
    pub tags: Vec<TagShape>,
    pub task_arn: String,
    pub task_definition_arn: String,
    pub version: i64,
}

#[derive(Debug, Wire)]
#[wire(camelCase)]
pub(crate) struct AttachmentShape {
    pub id: String,
    #[wire("type")]
    pub kind: &'static str,
    pub status: &'static str,
    pub details: Vec<KeyValue>,
}

#[derive(Debug, Wire)]
#[wire(camelCase)]
pub(crate) struct ContainerShape {
    pub container_arn: String,
    pub task_arn: String,
    pub name: ContainerName,
    pub image: String,
    pub image_digest: Option<String>,
    pub runtime_id: Option<String>,
    pub last_status: Status,
    pub exit_code: Option<i32>,
    pub reason: Option<String>,
    pub network_bindings: Vec<Value>,
    pub network_interfaces: Vec<InterfaceShape>,
    pub health_status: HealthStatus,
    pub cpu: String,
    pub memory: Option<String>,
    pub memory_reservation: Option<String>,
}

#[derive(Debug, Wire)]
#[wire(camelCase)]
pub(crate) struct InterfaceShape {
    pub attachment_id: String,
    #[wire("privateIpv4Address")]
    pub address: String,
}

/// Includes tags only if the request asks for them.
pub(crate) fn task(image: &Image, config: &Config, row: Arc<Task>, with_tags: bool) -> TaskShape {
    let known = Known::of(image, row);
    let (task, seen) = (&known.task, known.seen.as_ref());
    let status = known.status();
    let stop = known.stop();
    let size = known.definition.as_ref().map_or((0, 0), |d| size_of(d, &task.overrides));
    let connected = seen.and_then(|s| s.started);
    TaskShape {
        attachments: vec![attachment(task, status)],
        attributes: vec![KeyValue { name: "ecs.cpu-architecture".into(), value: "x86_64".into() }],
        availability_zone: task.zone.clone(),
        capacity_provider_name: task.capacity_provider,
        cluster_arn: rules::cluster_arn(config, &task.cluster),
        connectivity: connected.map(|_| Connectivity::Connected),
        connectivity_at: connected,
        containers: containers(config, &known),
        cpu: size.0.to_string(),
        created_at: task.created,
        desired_status: known.desired(),
        enable_execute_command: task.execute_command,
        ephemeral_storage: known.definition.as_ref().map(|d| ephemeral_storage(d, &task.overrides)),
        execution_stopped_at: seen.and_then(|s| s.ended),
        group: task.group.clone(),
        health_status: status::health_status(known.health()),
        last_status: status,
        launch_type: LaunchType::Fargate,
        memory: size.1.to_string(),
        overrides: task.overrides.clone(),
        platform_version: task.platform_version.resolved(),
        platform_family: "Linux",
        pull_started_at: known.progress.pull_started,
        pull_stopped_at: known.progress.pull_stopped,
        started_at: connected,
        started_by: task.started_by.clone(),
        stop_code: stop.as_ref().map(|s| s.0),
        stopped_at: known.progress.stopped,
        stopped_reason: stop.map(|s| s.1),
        stopping_at: if known.is_stopping() { known.stopping_at() } else { None },
        tags: if with_tags { rules::tags_out(&task.tags) } else { Vec::new() },
        task_arn: rules::task_arn(config, task),
        task_definition_arn: rules::definition_arn(config, &task.family, task.revision),
        version: 1 + i64::from(status as u8),
    }
}

/// CPU units and MiB of a task.
pub(crate) fn size_of(definition: &TaskDefinition, overrides: &Overrides) -> (u32, u32) {
    let (cpu, memory) = (definition.cpu.to_string(), definition.memory_mib.to_string());
    let cpu = overrides.cpu.as_deref().unwrap_or(&cpu);
    let memory = overrides.memory.as_deref().unwrap_or(&memory);
    crate::definition::size(Some(cpu), Some(memory)).unwrap_or((definition.cpu, definition.memory_mib))
}

/// The storage of a task that does not configure any.
///
/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-task-storage.html>
const EPHEMERAL_GIB: u32 = 20;

pub(crate) fn ephemeral_storage(definition: &TaskDefinition, overrides: &Overrides) -> EphemeralStorage {
    let of_definition = definition.ephemeral_gib.map(|size_gib| EphemeralStorage { size_gib });
    let configured = overrides.ephemeral_storage.or(of_definition);
    configured.unwrap_or(EphemeralStorage { size_gib: EPHEMERAL_GIB })
}

fn attachment(task: &Task, status: Status) -> AttachmentShape {
    let detail = |name: &str, value: String| KeyValue { name: name.into(), value };
    AttachmentShape {
        id: uuid_of(&task.id, "interface"),
        kind: "ElasticNetworkInterface",
        status: match status {
            Status::Provisioning => "PRECREATED",
            Status::Stopped => "DELETED",
            Status::Deprovisioning => "DETACHING",
            _ => "ATTACHED",
        },
        details: vec![
            detail("subnetId", task.subnet.to_string()),
            detail("networkInterfaceId", task.interface.to_string()),
            detail("privateIPv4Address", task.private_ip.to_string()),
        ],
    }
}

fn containers(config: &Config, known: &Known) -> Vec<ContainerShape> {
    let Some(definition) = &known.definition else { return Vec::new() };
    let task = &known.task;
    let task_arn = rules::task_arn(config, task);
    let is_stopped = known.progress.stopped.is_some();
    let shape = |c: &ContainerDefinition| {
        let seen = known.seen.as_ref().and_then(|s| s.containers.get(c.name.as_str()));
        let (exit_code, reason) = match seen.map(|s| &s.state) {
            Some(ContainerState::Ended { code, reason }) => (*code, reason.clone()),
            _ => (None, known.progress.failed.clone()),
        };
        ContainerShape {
            container_arn: rules::arn(
                config,
                format!("container/{}/{}/{}", task.cluster, task.id, uuid_of(&task.id, &c.name)),
            ),
            task_arn: task_arn.clone(),
            name: c.name.clone(),
            image: c.image.clone(),
            image_digest: known.progress.images.get(c.name.as_str()).cloned(),
            runtime_id: seen.map(|_| format!("{}-{}", task.id, uuid_of(&task.id, &c.name).replace('-', ""))),
            last_status: if is_stopped {
                Status::Stopped
            } else {
                status::container_status(seen.map(|s| &s.state))
            },
            exit_code,
            reason,
            network_bindings: Vec::new(),
            network_interfaces: vec![InterfaceShape {
                attachment_id: uuid_of(&task.id, "interface"),
                address: task.private_ip.to_string(),
            }],
            health_status: status::health_status(
                seen.map_or(escale_tables::ecs::Health::Unknown, |s| s.health),
            ),
            cpu: c.cpu.to_string(),
            memory: c.memory.map(|m| m.to_string()),
            memory_reservation: c.memory_reservation.map(|m| m.to_string()),
        }
    };
    definition.containers.iter().map(shape).collect()
}

/// An id in the form of a UUID, derived from a task's id and a name.
pub(crate) fn uuid_of(task: &str, name: &str) -> String {
    let fold = |seed: u64| {
        let bytes = task.bytes().chain([0]).chain(name.bytes());
        bytes.fold(seed, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
    };
    let h = format!("{:016x}{:016x}", fold(0xcbf2_9ce4_8422_2325), fold(0x8422_2325_cbf2_9ce4));
    format!("{}-{}-{}-{}-{}", &h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..])
}

#[derive(Debug, Wire)]
#[wire(camelCase)]
pub(crate) struct ServiceShape {
    pub service_arn: String,
    pub service_name: ServiceName,
    pub cluster_arn: String,
    pub load_balancers: Vec<LoadBalancer>,
    pub service_registries: Vec<ServiceRegistry>,
    pub status: ServiceStatus,
    pub desired_count: u32,
    pub running_count: i32,
    pub pending_count: i32,
    pub launch_type: Option<LaunchType>,
    pub capacity_provider_strategy: Option<Vec<StrategyItem>>,
    pub platform_version: Option<PlatformVersion>,
    pub platform_family: &'static str,
    pub task_definition: String,
    pub deployment_configuration: DeploymentConfigurationShape,
    pub deployments: Vec<DeploymentShape>,
    pub events: Vec<EventShape>,
    pub created_at: Timestamp,
    pub created_by: PrincipalArn,
    pub placement_constraints: Vec<Value>,
    pub placement_strategy: Vec<Value>,
    pub network_configuration: NetworkShape,
    pub health_check_grace_period_seconds: Option<i64>,
    pub scheduling_strategy: SchedulingStrategy,
    pub deployment_controller: ControllerShape,
    pub tags: Vec<TagShape>,
    #[wire("enableECSManagedTags")]
    pub managed_tags: bool,
    pub propagate_tags: PropagateTags,
    pub enable_execute_command: bool,
    pub availability_zone_rebalancing: AvailabilityZoneRebalancing,
}

#[derive(Clone, Debug, Wire)]
#[wire(camelCase)]
pub(crate) struct MonitoringShape {
    pub metric_configurations: Vec<MetricConfiguration>,
}

#[derive(Debug, Wire)]
#[wire(camelCase)]
pub(crate) struct DeploymentConfigurationShape {
    pub deployment_circuit_breaker: BreakerShape,
    pub alarms: DeploymentAlarms,
    pub maximum_percent: u32,
    pub minimum_healthy_percent: u32,
    pub strategy: DeploymentStrategy,
    pub bake_time_in_minutes: Option<u32>,
    pub linear_configuration: Option<strategy::LinearShape>,
    pub canary_configuration: Option<strategy::CanaryShape>,
    pub lifecycle_hooks: Option<Vec<strategy::HookShape>>,
}

#[derive(Clone, Debug, Wire)]
#[wire(camelCase)]
pub(crate) struct BreakerShape {
    pub enable: bool,
    pub rollback: bool,
    pub threshold_configuration: Option<Threshold>,
}

#[derive(Clone, Debug, Wire)]
#[wire(camelCase)]
pub(crate) struct ControllerShape {
    #[wire("type")]
    pub kind: DeploymentControllerType,
}

#[derive(Clone, Debug, Wire)]
#[wire(camelCase)]
pub(crate) struct NetworkShape {
    pub awsvpc_configuration: Option<AwsVpc>,
}

#[derive(Debug, Wire)]
#[wire(camelCase)]
pub(crate) struct EventShape {
    pub id: String,
    pub created_at: Timestamp,
    pub message: String,
}

#[derive(Debug, Wire)]
#[wire(camelCase)]
pub(crate) struct DeploymentShape {
    pub id: DeploymentId,
    pub status: DeploymentStatus,
    pub task_definition: String,
    pub desired_count: i32,
    pub pending_count: i32,
    pub running_count: i32,
    pub failed_tasks: u32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub capacity_provider_strategy: Option<Vec<StrategyItem>>,
    pub launch_type: Option<LaunchType>,
    pub platform_version: PlatformVersion,
    pub platform_family: &'static str,
    pub network_configuration: NetworkShape,
    pub rollout_state: RolloutState,
    pub rollout_state_reason: String,
}

pub(crate) fn launch(launch: &Launch) -> (Option<LaunchType>, Option<Vec<StrategyItem>>) {
    match launch {
        Launch::Fargate => (Some(LaunchType::Fargate), None),
        Launch::Strategy(items) => (None, Some(items.clone())),
    }
}

pub(crate) fn service(image: &Image, config: &Config, row: &Service, with_tags: bool) -> ServiceShape {
    let key = escale_store::Row::key(row);
    let tasks: Vec<Arc<Task>> =
        image.scan::<Task>().filter(|t| t.service.as_ref().is_some_and(|s| s.key == key)).collect();
    let (running, pending) = status::count(image, tasks.iter());
    let newest = row.deployments.first();
    let (launch_type, strategy) = newest.map_or((None, None), |d| launch(&d.launch));
    let events = image.get::<ServiceEvents>(&key);
    let events = events.iter().flat_map(|e| &e.events).map(|e| EventShape {
        id: e.id.clone(),
        created_at: e.at,
        message: e.message.clone(),
    });
    let deployment = |(i, d): (usize, &Deployment)| deployment(image, config, row, &tasks, d, i == 0);
    ServiceShape {
        service_arn: rules::service_arn(config, row),
        service_name: row.name.clone(),
        cluster_arn: rules::cluster_arn(config, &row.cluster),
        load_balancers: newest.map_or_else(Vec::new, Deployment::configured_load_balancers),
        service_registries: row.deployments.first().map_or_else(Vec::new, |d| d.service_registries.clone()),
        status: service_status(image, row),
        desired_count: row.desired,
        running_count: running,
        pending_count: pending,
        launch_type,
        capacity_provider_strategy: strategy,
        platform_version: newest.map(|d| d.platform_version),
        platform_family: "Linux",
        task_definition: newest
            .map_or_else(String::new, |d| rules::definition_arn(config, &d.family, d.revision)),
        deployment_configuration: deployment_configuration(RolloutConfiguration::of(row)),
        deployments: row.deployments.iter().enumerate().map(deployment).collect(),
        events: events.collect(),
        created_at: row.created,
        created_by: row.created_by.clone(),
        placement_constraints: Vec::new(),
        placement_strategy: Vec::new(),
        network_configuration: NetworkShape { awsvpc_configuration: newest.map(|d| d.network.clone()) },
        health_check_grace_period_seconds: row.grace_secs,
        scheduling_strategy: SchedulingStrategy::Replica,
        deployment_controller: ControllerShape { kind: DeploymentControllerType::Ecs },
        tags: if with_tags { rules::tags_out(&row.tags) } else { Vec::new() },
        managed_tags: row.managed_tags,
        propagate_tags: row.propagate_tags,
        enable_execute_command: row.execute_command,
        availability_zone_rebalancing: if row.rebalance {
            AvailabilityZoneRebalancing::Enabled
        } else {
            AvailabilityZoneRebalancing::Disabled
        },
    }
}

pub(crate) fn deployment_configuration(of: RolloutConfiguration) -> DeploymentConfigurationShape {
    let shown = strategy::show(of.traffic.as_ref());
    DeploymentConfigurationShape {
        deployment_circuit_breaker: BreakerShape {
            enable: of.circuit_breaker,
            rollback: of.rollback,
            threshold_configuration: of.threshold,
        },
        alarms: of.alarms.unwrap_or_default(),
        maximum_percent: of.maximum_percent,
        minimum_healthy_percent: of.minimum_percent,
        strategy: shown.strategy,
        bake_time_in_minutes: shown.bake_minutes,
        linear_configuration: shown.linear,
        canary_configuration: shown.canary,
        lifecycle_hooks: shown.hooks,
    }
}

/// A deleted service is DRAINING until its last task has stopped.
pub(crate) fn service_status(image: &Image, row: &Service) -> ServiceStatus {
    if row.deleted.is_none() {
        return ServiceStatus::Active;
    }
    let key = escale_store::Row::key(row);
    let mut tasks = image.scan::<Task>().filter(|t| t.service.as_ref().is_some_and(|s| s.key == key));
    let left = tasks.any(|t| Known::of(image, t).status() != Status::Stopped);
    if left { ServiceStatus::Draining } else { ServiceStatus::Inactive }
}

fn deployment(
    image: &Image,
    config: &Config,
    service: &Service,
    tasks: &[Arc<Task>],
    row: &Deployment,
    newest: bool,
) -> DeploymentShape {
    let of = |t: &&Arc<Task>| t.service.as_ref().is_some_and(|s| s.deployment == row.id);
    let (running, pending) = status::count(image, tasks.iter().filter(of));
    let (launch_type, capacity_provider_strategy) = launch(&row.launch);
    DeploymentShape {
        id: row.id.clone(),
        status: if newest { DeploymentStatus::Primary } else { DeploymentStatus::Active },
        task_definition: rules::definition_arn(config, &row.family, row.revision),
        desired_count: if newest { service.desired as i32 } else { 0 },
        pending_count: pending,
        running_count: running,
        failed_tasks: crate::reconcile::failures(image, &escale_store::Row::key(service), row).0,
        created_at: row.created,
        updated_at: row.updated,
        capacity_provider_strategy,
        launch_type,
        platform_version: row.platform_version.resolved(),
        platform_family: "Linux",
        network_configuration: NetworkShape { awsvpc_configuration: Some(row.network.clone()) },
        rollout_state: match row.outcome {
            Outcome::InProgress => RolloutState::InProgress,
            Outcome::Completed => RolloutState::Completed,
            Outcome::Failed => RolloutState::Failed,
        },
        rollout_state_reason: row.reason.clone(),
    }
}
