//! Services: the desired number of tasks, and the deployments that change them.

use super::{
    AssignPublicIp, ClusterName, ContainerName, Family, PlatformVersion, PropagateTags, RoleReference,
    SettingName, StrategyItem, ThresholdType, Traffic, TrafficStrategy,
};
use crate::{
    PrincipalArn,
    cloudwatch::AlarmName,
    ec2::{GroupId, SubnetId},
    elbv2::{RuleArn, TargetGroupArn},
    row,
};
use escale_base::{Tag, Timestamp, Wire};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

escale_base::name! {
    /// A service's name within its cluster.
    ServiceName;
    /// The key of a service's row: `<cluster>/<service>`.
    ServiceKey;
    /// The ARN of a service of Cloud Map.
    RegistryArn;
    /// `ecs-svc/` and 19 digits.
    DeploymentId;
}

/// The wish for a service, with its deployments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    pub cluster: ClusterName,
    pub name: ServiceName,
    pub desired: u32,
    pub minimum_percent: u32,
    pub maximum_percent: u32,
    pub circuit_breaker: bool,
    pub rollback: bool,
    /// When the circuit breaker trips; `None` is AWS's default.
    #[serde(default)]
    pub threshold: Option<Threshold>,
    #[serde(default)]
    pub alarms: Option<DeploymentAlarms>,
    /// How new deployments shift traffic; `None` if they are rolling.
    #[serde(default)]
    pub traffic: Option<TrafficStrategy>,
    /// The last deployment that failed, which a rollback removes from the list.
    #[serde(default)]
    pub last_failed: Option<FailedDeployment>,
    pub grace_secs: Option<i64>,
    /// Whether to move tasks when they are unevenly spread over zones.
    pub rebalance: bool,
    pub managed_tags: bool,
    /// Recorded only: `ExecuteCommand` is refused.
    #[serde(default)]
    pub execute_command: bool,
    /// The resource whose tags the tasks get.
    pub propagate_tags: PropagateTags,
    /// Metrics with a resolution of their own.
    #[serde(default)]
    pub monitoring: Vec<MetricConfiguration>,
    /// The newest first. It is the PRIMARY one.
    pub deployments: Vec<Deployment>,
    /// Set when the service is deleted. Its tasks stop, then it is INACTIVE.
    pub deleted: Option<Timestamp>,
    pub created_by: PrincipalArn,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(Service, "ecs_service", |r| format!("{}/{}", r.cluster, r.name));

impl Service {
    /// The load balancers of the service's newest deployment.
    pub fn load_balancers(&self) -> &[LoadBalancer] {
        self.deployments.first().map_or(&[], |newest| &newest.load_balancers)
    }

    /// The registries of a deployment, as [`Service::load_balancers_of`].
    pub fn service_registries_of(&self, deployment: &DeploymentId) -> &[ServiceRegistry] {
        let of = self.deployments.iter().find(|d| d.id == *deployment).or(self.deployments.first());
        of.map_or(&[], |d| &d.service_registries)
    }

    /// The load balancers of a deployment. While one replaces another, each has its own.
    pub fn load_balancers_of(&self, deployment: &DeploymentId) -> &[LoadBalancer] {
        let of = self.deployments.iter().find(|d| d.id == *deployment);
        of.map_or_else(|| self.load_balancers(), |d| &d.load_balancers)
    }
}

/// The number of failed tasks that trips a circuit breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct Threshold {
    #[wire("type")]
    pub kind: ThresholdType,
    pub value: u32,
}

/// Alarms that fail a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct DeploymentAlarms {
    pub alarm_names: Vec<AlarmName>,
    pub enable: bool,
    pub rollback: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedDeployment {
    pub id: DeploymentId,
    /// The alarm that failed it; `None` if its tasks failed.
    pub alarm: Option<AlarmName>,
}

/// The resolution of metrics of a service: 60 seconds unless configured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct MetricConfiguration {
    pub metric_names: Vec<ServiceMetric>,
    pub resolution_seconds: u32,
}

escale_base::choice! {
    pub enum ServiceMetric { Cpu = "CPUUtilization", Memory = "MemoryUtilization" }
}

/// One version of a service's tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    pub id: DeploymentId,
    pub family: Family,
    pub revision: u32,
    pub network: AwsVpc,
    /// With the target groups that its tasks are in. If it is on the alternate ones, they are exchanged.
    pub load_balancers: Vec<LoadBalancer>,
    #[serde(default)]
    pub is_on_alternate: bool,
    /// The progress if it shifts traffic; `None` if it is rolling.
    #[serde(default)]
    pub traffic: Option<Traffic>,
    #[serde(default)]
    pub service_registries: Vec<ServiceRegistry>,
    pub launch: Launch,
    pub platform_version: PlatformVersion,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub outcome: Outcome,
    pub reason: String,
    /// The digests of its images, by container: set by its first task that started, and used by the later ones.
    #[serde(default)]
    pub images: BTreeMap<String, String>,
    /// When its tasks had replaced all others. From then on its alarms are watched for a while before it completes.
    #[serde(default)]
    pub baking: Option<Timestamp>,
    /// Whether this deployment is a rollback. A rollback is not rolled back itself.
    pub is_rollback: bool,
}

impl Deployment {
    /// The load balancers as the service configures them, whichever target groups the tasks are in.
    pub fn configured_load_balancers(&self) -> Vec<LoadBalancer> {
        if self.is_on_alternate {
            self.load_balancers.iter().map(LoadBalancer::exchanged).collect()
        } else {
            self.load_balancers.clone()
        }
    }
}

/// How tasks are launched: by launch type or by a strategy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Launch {
    Fargate,
    Strategy(Vec<StrategyItem>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    InProgress,
    Completed,
    Failed,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct AwsVpc {
    pub subnets: Vec<SubnetId>,
    pub security_groups: Vec<GroupId>,
    pub assign_public_ip: Option<AssignPublicIp>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct LoadBalancer {
    pub target_group_arn: Option<TargetGroupArn>,
    pub container_name: Option<ContainerName>,
    pub container_port: Option<i32>,
    #[serde(default)]
    pub advanced_configuration: Option<AdvancedConfiguration>,
}

impl LoadBalancer {
    /// The same with its two target groups exchanged.
    pub fn exchanged(&self) -> LoadBalancer {
        let mut other = self.clone();
        if let (Some(own), Some(advanced)) = (&mut other.target_group_arn, &mut other.advanced_configuration)
        {
            std::mem::swap(own, &mut advanced.alternate_target_group_arn);
        }
        other
    }
}

/// The second target group of a load balancer, and the rules whose traffic ECS shifts between the two.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct AdvancedConfiguration {
    pub alternate_target_group_arn: TargetGroupArn,
    pub production_listener_rule: RuleArn,
    pub test_listener_rule: Option<RuleArn>,
    pub role_arn: RoleReference,
}

/// A service of Cloud Map in which the tasks are instances.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
#[wire(camelCase)]
pub struct ServiceRegistry {
    pub registry_arn: RegistryArn,
    /// The port of SRV records, unless a container's port is named.
    pub port: Option<i32>,
    pub container_name: Option<ContainerName>,
    pub container_port: Option<i32>,
}

/// The events of a service, the newest first; at most a hundred.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceEvents {
    pub service: ServiceKey,
    pub events: Vec<ServiceEvent>,
}
row!(ServiceEvents, "ecs_service_events", |r| r.service.to_string());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceEvent {
    pub id: String,
    pub at: Timestamp,
    pub message: String,
}

/// An account setting, which is only recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccountSetting {
    pub name: SettingName,
    pub value: String,
}
row!(AccountSetting, "ecs_account_setting", |r| r.name.to_string());
