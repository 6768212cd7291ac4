//! Clusters, task definitions, tasks and services: wishes, the progress of ECS, and observations.

mod choices;
mod cluster;
mod definition;
mod service;
mod service_deployment;
mod task;
mod traffic;

pub use choices::*;
pub use cluster::{Cluster, ClusterName, ClusterSetting, StrategyItem};
pub use definition::{
    Capabilities, ContainerDefinition, ContainerName, Dependency, EphemeralStorage, Family, HealthCheck,
    KeyValue, LinuxParameters, LogConfiguration, MountPoint, Platform, PortMapping, RepositoryCredentials,
    RoleReference, SecretRef, TaskDefinition, TaskFamily, Ulimit, VolumeFrom, VolumeName,
};
pub use service::{
    AccountSetting, AdvancedConfiguration, AwsVpc, Deployment, DeploymentAlarms, DeploymentId,
    FailedDeployment, Launch, LoadBalancer, MetricConfiguration, Outcome, RegistryArn, Service, ServiceEvent,
    ServiceEvents, ServiceKey, ServiceMetric, ServiceName, ServiceRegistry, Threshold,
};
pub use service_deployment::{
    DeploymentEnd, Ending, Rollback, RolloutConfiguration, ServiceDeployment, ServiceDeploymentId,
};
pub use task::{
    ContainerOverride, ContainerSeen, ContainerState, CredentialsId, Health, LogCursor, Overrides, Phase,
    Stop, StopCause, TargetSeen, Task, TaskId, TaskOfService, TaskOutput, TaskProgress, TaskSeen,
};
pub use traffic::{
    ALL_TRAFFIC, DeploymentStrategy, HookAction, HookStage, HookStatus, LifecycleStage, Pause, PauseHook,
    Share, Traffic, TrafficStep, TrafficStrategy,
};

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[
    TableDef::of::<AccountSetting>(),
    TableDef::of::<Cluster>(),
    TableDef::of::<LogCursor>(),
    TableDef::of::<Service>(),
    TableDef::of::<ServiceDeployment>(),
    TableDef::of::<ServiceEvents>(),
    TableDef::of::<TargetSeen>(),
    TableDef::of::<Task>(),
    TableDef::of::<TaskDefinition>(),
    TableDef::of::<TaskFamily>(),
    TableDef::of::<TaskOutput>(),
    TableDef::of::<TaskProgress>(),
    TableDef::of::<TaskSeen>(),
];
