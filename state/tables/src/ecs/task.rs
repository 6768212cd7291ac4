//! Tasks: what was asked, how far ECS is with it, and what the machine shows.

use super::{
    CapacityProvider, ClusterName, ContainerName, DeploymentId, EphemeralStorage, Family, KeyValue,
    PlatformVersion, ServiceKey,
};
use crate::{
    ec2::{AllocationId, InterfaceId, SubnetId, VpcId, ZoneName},
    elbv2::TargetHealthState,
    row,
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

/// A task as asked for, with what was chosen for it: zone, interface, address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    pub id: TaskId,
    pub cluster: ClusterName,
    pub family: Family,
    pub revision: u32,
    /// `service:NAME` or `family:NAME`, or the caller's word.
    pub group: String,
    pub started_by: Option<String>,
    /// The service that wants it, and by which of its deployments.
    pub service: Option<TaskOfService>,
    /// Set when it came through a strategy.
    pub capacity_provider: Option<CapacityProvider>,
    pub platform_version: PlatformVersion,
    pub vpc: VpcId,
    pub subnet: SubnetId,
    pub zone: ZoneName,
    pub interface: InterfaceId,
    pub private_ip: Ipv4Addr,
    /// A public address that was taken for it, and is given back with it.
    pub allocation: Option<AllocationId>,
    pub overrides: Overrides,
    pub credentials_id: CredentialsId,
    /// Makes a repeated RunTask the same one.
    pub client_token: Option<String>,
    pub stop: Option<Stop>,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(Task, "ecs_task", |r| r.id.to_string());

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskOfService {
    pub key: ServiceKey,
    pub deployment: DeploymentId,
}

/// It shall stop: since when, why, and the words for it.
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
    /// Its service needs it no more.
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
    pub execution_role_arn: Option<String>,
    pub task_role_arn: Option<String>,
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

/// How far ECS itself is with a task. No row: nothing was done yet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskProgress {
    pub id: TaskId,
    /// Digests of the images, by container; set when the containers were handed over.
    pub images: BTreeMap<String, String>,
    pub pull_started: Option<Timestamp>,
    pub pull_stopped: Option<Timestamp>,
    /// It could not be started; AWS's words.
    pub failed: Option<String>,
    /// What the load balancer's check saw last, when the task was stopped for that; for a person.
    pub check: Option<String>,
    /// Its addresses are in the target groups.
    pub registered: bool,
    /// They were taken out; traffic under way may go on until then.
    pub draining_until: Option<Timestamp>,
    /// Everything of it is gone.
    pub stopped: Option<Timestamp>,
}
row!(TaskProgress, "ecs_task_progress", |r| r.id.to_string());

/// What the containers plane shows of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskSeen {
    pub id: TaskId,
    pub phase: Phase,
    /// When the first look showed all containers started.
    pub started: Option<Timestamp>,
    /// When the first look showed it stopping.
    pub stopping: Option<Timestamp>,
    /// When the first look showed nothing running any more.
    pub ended: Option<Timestamp>,
    /// Why it stops by itself.
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
        /// 128 and the signal's number when a signal ended it; `None` when it is not known or never ran.
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

/// How far a container's log is in CloudWatch Logs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LogCursor {
    pub task: TaskId,
    pub container: ContainerName,
    /// Where the plane's log goes on.
    pub next: u64,
    /// Events that the stream had been given when `next` was reached.
    pub shipped: u64,
    /// The container ended, and all of its log is there.
    pub ended: bool,
}
row!(LogCursor, "ecs_log_cursor", |r| format!("{}/{}", r.task, r.container));

/// What the containers of a task that ended wrote last, read before the machine forgot them. Few lines, each of them cut.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskOutput {
    pub task: TaskId,
    /// By container.
    pub lines: BTreeMap<String, Vec<String>>,
}
row!(TaskOutput, "ecs_task_output", |r| r.task.to_string());

/// What the load balancer says of a task's targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetSeen {
    pub task: TaskId,
    /// By target group: its state, and the reason's words.
    pub groups: BTreeMap<String, (TargetHealthState, String)>,
    /// Since when one of them is unhealthy.
    pub unhealthy_since: Option<Timestamp>,
}
row!(TargetSeen, "ecs_target_seen", |r| r.task.to_string());
