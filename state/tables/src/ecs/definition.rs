//! Task definitions.

use super::{
    ApplicationProtocol, Compatibility, ContainerCondition, CpuArchitecture, LogDriver, OsFamily,
    TransportProtocol, UlimitName, VersionConsistency,
};
use crate::{PrincipalArn, row};
use escale_base::{Tag, Timestamp, Wire};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

escale_base::name! {
    /// The name that the revisions of a task definition have in common.
    Family;
    /// A role as the client names it: its ARN or its name.
    RoleReference;
    /// A container's name within its task.
    ContainerName;
    /// A volume's name within its task.
    VolumeName;
}

/// One revision of a family. Apart from its deregistration it never changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskDefinition {
    pub family: Family,
    pub revision: u32,
    pub task_role: Option<RoleReference>,
    pub execution_role: Option<RoleReference>,
    /// In CPU units: 1024 are one CPU.
    pub cpu: u32,
    pub memory_mib: u32,
    pub containers: Vec<ContainerDefinition>,
    /// Scratch volumes: empty when a task starts, and deleted with it.
    pub volumes: Vec<VolumeName>,
    pub ephemeral_gib: Option<u32>,
    pub platform: Option<Platform>,
    pub requires: Vec<Compatibility>,
    pub registered: Timestamp,
    pub registered_by: PrincipalArn,
    pub deregistered: Option<Timestamp>,
    pub delete_requested: Option<Timestamp>,
    pub tags: Vec<Tag>,
}
row!(TaskDefinition, "ecs_task_definition", |r| TaskDefinition::key_of(&r.family, r.revision));

impl TaskDefinition {
    /// The revision has ten digits, so that keys sort by revision.
    pub fn key_of(family: &str, revision: u32) -> String {
        format!("{family}/{revision:010}")
    }
}

/// The last revision number of a family: a number is never used twice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskFamily {
    pub name: Family,
    pub last: u32,
}
row!(TaskFamily, "ecs_task_family", |r| r.name.to_string());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct Platform {
    pub cpu_architecture: Option<CpuArchitecture>,
    pub operating_system_family: Option<OsFamily>,
}

/// A container definition, with the members that are enacted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct ContainerDefinition {
    pub name: ContainerName,
    pub image: String,
    /// The login of a private registry.
    #[serde(default)]
    pub repository_credentials: Option<RepositoryCredentials>,
    pub cpu: i32,
    pub memory: Option<i32>,
    pub memory_reservation: Option<i32>,
    pub port_mappings: Vec<PortMapping>,
    pub essential: bool,
    pub entry_point: Option<Vec<String>>,
    pub command: Option<Vec<String>>,
    pub environment: Vec<KeyValue>,
    pub mount_points: Vec<MountPoint>,
    pub volumes_from: Vec<VolumeFrom>,
    pub linux_parameters: Option<LinuxParameters>,
    pub secrets: Option<Vec<SecretRef>>,
    pub depends_on: Option<Vec<Dependency>>,
    pub start_timeout: Option<i32>,
    pub stop_timeout: Option<i32>,
    /// Whether the tasks of a deployment run the same image, although its tag is moved.
    #[serde(default)]
    pub version_consistency: Option<VersionConsistency>,
    pub user: Option<String>,
    pub working_directory: Option<String>,
    pub readonly_root_filesystem: Option<bool>,
    pub docker_labels: Option<BTreeMap<String, String>>,
    pub ulimits: Option<Vec<Ulimit>>,
    pub log_configuration: Option<LogConfiguration>,
    pub health_check: Option<HealthCheck>,
    /// Always empty: kernel settings of a task are refused.
    pub system_controls: Vec<escale_base::wire::Value>,
}

/// The ARN of a secret with `username` and `password`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct RepositoryCredentials {
    pub credentials_parameter: String,
}

/// The disk space that the containers of a task share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct EphemeralStorage {
    #[wire("sizeInGiB")]
    pub size_gib: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct KeyValue {
    pub name: String,
    pub value: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct PortMapping {
    pub container_port: i32,
    pub host_port: i32,
    pub protocol: TransportProtocol,
    pub name: Option<String>,
    pub app_protocol: Option<ApplicationProtocol>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct MountPoint {
    pub source_volume: VolumeName,
    pub container_path: String,
    pub read_only: Option<bool>,
}

/// Another container of the task, whose mounts this one has, too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct VolumeFrom {
    pub source_container: ContainerName,
    pub read_only: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct LinuxParameters {
    pub capabilities: Option<Capabilities>,
    pub init_process_enabled: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct Capabilities {
    pub add: Vec<String>,
    pub drop: Vec<String>,
}

/// A variable whose value is read from Secrets Manager or Parameter Store when the task starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct SecretRef {
    pub name: String,
    pub value_from: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct Dependency {
    pub container_name: ContainerName,
    pub condition: ContainerCondition,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct Ulimit {
    pub name: UlimitName,
    pub soft_limit: i64,
    pub hard_limit: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct LogConfiguration {
    pub log_driver: LogDriver,
    pub options: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct HealthCheck {
    pub command: Vec<String>,
    pub interval: Option<i32>,
    pub timeout: Option<i32>,
    pub retries: Option<i32>,
    pub start_period: Option<i32>,
}
