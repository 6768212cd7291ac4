//! AWS's enumerations that are not stored.

use escale_base::{
    Wire, choice,
    wire::{ReadError, Value},
};
use escale_tables::ecs::TransportProtocol;

choice! { pub(crate) enum AvailabilityZoneRebalancing { Enabled = "ENABLED", Disabled = "DISABLED" } }
choice! { pub(crate) enum CapacityProviderField { Tags = "TAGS" } }
choice! {
    pub(crate) enum CapacityProviderStatus {
        Provisioning = "PROVISIONING", Active = "ACTIVE", Deprovisioning = "DEPROVISIONING",
        Inactive = "INACTIVE",
    }
}
choice! {
    pub(crate) enum ClusterField {
        Attachments = "ATTACHMENTS", Configurations = "CONFIGURATIONS", Settings = "SETTINGS",
        Statistics = "STATISTICS", Tags = "TAGS",
    }
}
choice! { pub(crate) enum Connectivity { Connected = "CONNECTED", Disconnected = "DISCONNECTED" } }
choice! {
    pub(crate) enum DeploymentControllerType {
        Ecs = "ECS", CodeDeploy = "CODE_DEPLOY", External = "EXTERNAL",
    }
}
choice! {
    pub(crate) enum RolloutState { Completed = "COMPLETED", Failed = "FAILED", InProgress = "IN_PROGRESS" }
}
choice! { pub(crate) enum StopType { Abort = "ABORT", Rollback = "ROLLBACK" } }
choice! {
    pub(crate) enum ServiceDeploymentStatus {
        Pending = "PENDING", Successful = "SUCCESSFUL", Stopped = "STOPPED", StopRequested = "STOP_REQUESTED",
        InProgress = "IN_PROGRESS", RollbackRequested = "ROLLBACK_REQUESTED",
        RollbackInProgress = "ROLLBACK_IN_PROGRESS", RollbackSuccessful = "ROLLBACK_SUCCESSFUL",
        RollbackFailed = "ROLLBACK_FAILED",
    }
}
choice! {
    pub(crate) enum MonitorStatus {
        Triggered = "TRIGGERED", Monitoring = "MONITORING", MonitoringComplete = "MONITORING_COMPLETE",
        Disabled = "DISABLED",
    }
}
choice! { pub(crate) enum HookTarget { AwsLambda = "AWS_LAMBDA", Pause = "PAUSE" } }
choice! {
    pub(crate) enum DesiredStatus { Running = "RUNNING", Pending = "PENDING", Stopped = "STOPPED" }
}
choice! {
    pub(crate) enum HealthStatus { Healthy = "HEALTHY", Unhealthy = "UNHEALTHY", Unknown = "UNKNOWN" }
}
choice! {
    pub(crate) enum LaunchType {
        Ec2 = "EC2", Fargate = "FARGATE", External = "EXTERNAL", ManagedInstances = "MANAGED_INSTANCES",
    }
}
choice! {
    pub(crate) enum NetworkMode { Bridge = "bridge", Host = "host", Awsvpc = "awsvpc", None = "none" }
}
choice! { pub(crate) enum SchedulingStrategy { Replica = "REPLICA", Daemon = "DAEMON" } }
choice! { pub(crate) enum ServiceField { Tags = "TAGS" } }
choice! { pub(crate) enum SortOrder { Asc = "ASC", Desc = "DESC" } }
choice! {
    pub(crate) enum TaskDefinitionFamilyStatus { Active = "ACTIVE", Inactive = "INACTIVE", All = "ALL" }
}
choice! { pub(crate) enum TaskDefinitionField { Tags = "TAGS" } }
choice! {
    pub(crate) enum TaskDefinitionStatus {
        Active = "ACTIVE", Inactive = "INACTIVE", DeleteInProgress = "DELETE_IN_PROGRESS",
    }
}
choice! { pub(crate) enum TaskField { Tags = "TAGS" } }
choice! {
    pub(crate) enum TaskStopCode {
        TaskFailedToStart = "TaskFailedToStart", EssentialContainerExited = "EssentialContainerExited",
        UserInitiated = "UserInitiated", ServiceSchedulerInitiated = "ServiceSchedulerInitiated",
        SpotInterruption = "SpotInterruption", TerminationNotice = "TerminationNotice",
    }
}
choice! {
    /// A plain string in AWS's model; its documentation lists these values.
    pub(crate) enum ServiceStatus { Active = "ACTIVE", Draining = "DRAINING", Inactive = "INACTIVE" }
}
choice! { pub(crate) enum ClusterStatus { Active = "ACTIVE", Inactive = "INACTIVE" } }
choice! { pub(crate) enum DeploymentStatus { Primary = "PRIMARY", Active = "ACTIVE" } }

/// The protocol of a port mapping as requests have it. `http` means `tcp`, as on AWS.
///
/// Source: <https://github.com/hashicorp/terraform-provider-aws/issues/3645>
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestedProtocol(pub(crate) TransportProtocol);

impl Wire for RequestedProtocol {
    const CHOICES: Option<&'static [&'static str]> = TransportProtocol::CHOICES;

    fn read(value: &Value) -> Result<RequestedProtocol, ReadError> {
        match value.as_str() {
            Some("http") => Ok(RequestedProtocol(TransportProtocol::Tcp)),
            _ => TransportProtocol::read(value).map(RequestedProtocol),
        }
    }

    fn write(&self) -> Value {
        self.0.write()
    }
}
