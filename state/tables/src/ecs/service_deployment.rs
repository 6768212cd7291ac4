//! Deployments of services as ECS remembers them, also after their end.

use super::{
    Deployment, DeploymentAlarms, DeploymentId, Service, ServiceKey, Threshold, Traffic, TrafficStrategy,
};
use crate::row;
use escale_base::Timestamp;
use serde::{Deserialize, Serialize};

escale_base::name! {
    /// The last part of a service deployment's ARN.
    ServiceDeploymentId;
}

/// One deployment of a service, from the request that began it to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceDeployment {
    pub id: ServiceDeploymentId,
    pub service: ServiceKey,
    /// The revision that it introduces, as it was at the beginning.
    pub target: Deployment,
    /// The revisions that it replaces.
    pub sources: Vec<DeploymentId>,
    pub configuration: RolloutConfiguration,
    pub created: Timestamp,
    pub rollback: Option<Rollback>,
    pub end: Option<DeploymentEnd>,
    /// The progress of the target's shift when it ended, or when its rollback began.
    #[serde(default)]
    pub traffic: Option<Traffic>,
}
row!(ServiceDeployment, "ecs_service_deployment", |r| format!("{}/{}", r.service, r.id));

/// The service's limits when the deployment began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RolloutConfiguration {
    pub minimum_percent: u32,
    pub maximum_percent: u32,
    pub circuit_breaker: bool,
    pub rollback: bool,
    pub threshold: Option<Threshold>,
    pub alarms: Option<DeploymentAlarms>,
    #[serde(default)]
    pub traffic: Option<TrafficStrategy>,
}

impl RolloutConfiguration {
    pub fn of(service: &Service) -> RolloutConfiguration {
        RolloutConfiguration {
            minimum_percent: service.minimum_percent,
            maximum_percent: service.maximum_percent,
            circuit_breaker: service.circuit_breaker,
            rollback: service.rollback,
            threshold: service.threshold,
            alarms: service.alarms.clone(),
            traffic: service.traffic.clone(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rollback {
    pub at: Timestamp,
    /// The revision that the service returns to.
    pub to: DeploymentId,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeploymentEnd {
    pub at: Timestamp,
    pub how: Ending,
    pub reason: String,
    /// Tasks of the target that failed in a row.
    pub failed_tasks: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    Successful,
    /// By a request, by a newer deployment, or by a failure without a rollback.
    Stopped,
    RollbackSuccessful,
    RollbackFailed,
}
