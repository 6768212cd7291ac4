//! Tasks: wishes, the progress of ECS, and observations of the machine.

use super::{
    CapacityProvider, ClusterName, ContainerName, DeploymentId, EphemeralStorage, Family, KeyValue,
    PlatformVersion, RoleReference, ServiceKey,
};
use crate::{
    ec2::{AllocationId, InterfaceId, SubnetId, VpcId, ZoneName},
    elbv2::TargetHealthState,
    row,
    servicediscovery::DiscoveryServiceId,
};
use escale_base::{Tag, Timestamp, Wire};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::Ipv4Addr};

escale_base::name! {
    /// 32 hexadecimal digits.
    TaskId;
    /// Names the credentials of a task's role to the endpoint that returns them.
    CredentialsId;
}

/// The wish for a task, with the zone, interface and address that were chosen for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    pub id: TaskId,
    pub cluster: ClusterName,
    pub family: Family,
    pub revision: u32,
    /// `service:NAME`, `family:NAME`, or the caller's own value.
    pub group: String,
    pub started_by: Option<String>,
    /// The service and the deployment that the task belongs to.
    pub service: Option<TaskOfService>,
    /// Set if a strategy launched the task.
    pub capacity_provider: Option<CapacityProvider>,
    pub platform_version: PlatformVersion,
    pub vpc: VpcId,
    pub subnet: SubnetId,
    pub zone: ZoneName,
    pub interface: InterfaceId,
    pub private_ip: Ipv4Addr,
    /// A public address that was allocated for the task and is released with it.
    pub allocation: Option<AllocationId>,
    pub overrides: Overrides,
    pub credentials_id: CredentialsId,
    /// Recorded only: `ExecuteCommand` is refused.
    #[serde(default)]
    pub execute_command: bool,
    /// Identifies a repeated RunTask.
    pub client_token: Option<String>,
    pub stop: Option<Stop>,
    /// Until then neither a scale-in nor a deployment stops the task.
    #[serde(default)]
    pub protected_until: Option<Timestamp>,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(Task, "ecs_task", |r| r.id.to_string());

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskOfService {
    pub key: ServiceKey,
    pub deployment: DeploymentId,
}

/// The wish that the task stops: since when, why, and AWS's reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    pub at: Timestamp,
    pub cause: StopCause,
    pub reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopCause {
    /// StopTask.
    Asked,
    /// Its service no longer needs it.
    Scaled,
    /// Its service found it unhealthy.
    Sick,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct Overrides {
    pub container_overrides: Vec<ContainerOverride>,
    pub cpu: Option<String>,
    pub memory: Option<String>,
    pub execution_role_arn: Option<RoleReference>,
    pub task_role_arn: Option<RoleReference>,
    pub ephemeral_storage: Option<EphemeralStorage>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct ContainerOverride {
    pub name: ContainerName,
    pub command: Option<Vec<String>>,
    pub environment: Option<Vec<KeyValue>>,
    pub cpu: Option<i32>,
    pub memory: Option<i32>,
    pub memory_reservation: Option<i32>,
}

/// The progress of ECS with a task. Without a row, nothing has been done yet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskProgress {
    pub id: TaskId,
    /// Digests of the images, by container. Set when the containers were started.
    pub images: BTreeMap<String, String>,
    pub pull_started: Option<Timestamp>,
    pub pull_stopped: Option<Timestamp>,
    /// Why the task failed to start, in AWS's words.
    pub failed: Option<String>,
    /// The last result of the load balancer's check, if the task was stopped for it. A text for error messages.
    pub check: Option<String>,
    /// The task is in its target groups.
    pub registered: bool,
    /// The services of Cloud Map in which the task is an instance.
    #[serde(default)]
    pub announced: Vec<DiscoveryServiceId>,
    /// The task has left its target groups; open connections may continue until then.
    pub draining_until: Option<Timestamp>,
    /// Set when everything of the task has been removed.
    pub stopped: Option<Timestamp>,
}
row!(TaskProgress, "ecs_task_progress", |r| r.id.to_string());

/// The observed state of a task's containers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskSeen {
    pub id: TaskId,
    pub phase: Phase,
    /// When the task was first observed to run.
    pub started: Option<Timestamp>,
    /// When the task was first observed to stop.
    pub stopping: Option<Timestamp>,
    /// When the task was first observed to have no running container.
    pub ended: Option<Timestamp>,
    /// Why the task stopped by itself.
    pub why: Option<String>,
    pub containers: BTreeMap<String, ContainerSeen>,
}
row!(TaskSeen, "ecs_task_seen", |r| r.id.to_string());

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    Starting,
    Running,
    Stopping,
    Stopped,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContainerSeen {
    pub state: ContainerState,
    pub health: Health,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ContainerState {
    Pending,
    Running,
    Ended {
        /// 128 plus the signal's number if a signal ended it. `None` if it is unknown or the container never ran.
        code: Option<i32>,
        /// AWS's words: `OutOfMemoryError: …`, `CannotStartContainerError: …`.
        reason: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Health {
    Unknown,
    Healthy,
    Unhealthy,
}

/// How much of a container's log has been shipped to CloudWatch Logs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LogCursor {
    pub task: TaskId,
    pub container: ContainerName,
    /// The position after the last line that was read from the plane.
    pub next: u64,
    /// The number of events that the stream had received at `next`.
    pub shipped: u64,
    /// The container has ended, and its whole log is shipped.
    pub ended: bool,
}
row!(LogCursor, "ecs_log_cursor", |r| format!("{}/{}", r.task, r.container));

/// The last output of a stopped task's containers, read before they were removed. A few lines of limited length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskOutput {
    pub task: TaskId,
    /// By container.
    pub lines: BTreeMap<String, Vec<String>>,
}
row!(TaskOutput, "ecs_task_output", |r| r.task.to_string());

/// The observed health of a task's targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetSeen {
    pub task: TaskId,
    /// By target group: the state and its description.
    pub groups: BTreeMap<String, (TargetHealthState, String)>,
    /// Since when at least one of them is unhealthy.
    pub unhealthy_since: Option<Timestamp>,
    /// All of them were healthy at some time: a load balancer that starts again checks them anew and shows them as initial.
    #[serde(default)]
    pub has_served: bool,
}
row!(TargetSeen, "ecs_target_seen", |r| r.task.to_string());
