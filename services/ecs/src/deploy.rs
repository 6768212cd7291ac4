//! Deployments and their configuration, for the operations on services.

use crate::{
    Error,
    choices::{AvailabilityZoneRebalancing, DeploymentControllerType},
    history,
    shapes::{BreakerShape, ControllerShape, MonitoringShape},
    strategy::{self, StrategyInput},
};
use escale_base::{AwsError, Timestamp, Wire, ids};
use escale_service::Cx;
use escale_store::Row;
use escale_tables::ecs::{
    AwsVpc, Deployment, DeploymentAlarms, DeploymentId, DeploymentStrategy, FailedDeployment, Launch,
    LoadBalancer, MetricConfiguration, Outcome, PlatformVersion, Service, ServiceDeployment, ServiceEvents,
    ServiceRegistry, TaskDefinition,
};
use std::collections::BTreeMap;

/// AWS's defaults for a new service.
pub(crate) const MAXIMUM_PERCENT: u32 = 200;
pub(crate) const MINIMUM_PERCENT: u32 = 100;

pub(crate) const NO_DEFINITION: &str = "TaskDefinition can not be blank.";
pub(crate) const NO_NETWORK: &str =
    "Network Configuration must be provided when networkMode 'awsvpc' is specified.";

#[derive(Default, Wire)]
#[wire(camelCase)]
pub(crate) struct ConfigurationInput {
    deployment_circuit_breaker: Option<BreakerShape>,
    maximum_percent: Option<u32>,
    minimum_healthy_percent: Option<u32>,
    strategy: Option<DeploymentStrategy>,
    bake_time_in_minutes: Option<u32>,
    linear_configuration: Option<strategy::LinearShape>,
    canary_configuration: Option<strategy::CanaryShape>,
    lifecycle_hooks: Option<Vec<strategy::HookInput>>,
    alarms: Option<DeploymentAlarms>,
}

pub(crate) struct Configuration {
    pub breaker: Option<BreakerShape>,
    pub alarms: Option<DeploymentAlarms>,
    pub maximum: Option<u32>,
    pub minimum: Option<u32>,
    pub strategy: StrategyInput,
}

impl ConfigurationInput {
    pub(crate) fn read(self) -> Result<Configuration, Error> {
        if self.alarms.as_ref().is_some_and(|a| a.enable && a.alarm_names.is_empty()) {
            return Err(Error::Invalid("Deployment alarms are enabled, but alarmNames is empty.".into()));
        }
        let threshold = self.deployment_circuit_breaker.as_ref().and_then(|b| b.threshold_configuration);
        if threshold.is_some_and(|t| t.value == 0) {
            return Err(Error::Invalid("The value of thresholdConfiguration must be at least 1.".into()));
        }
        let (maximum, minimum) = (self.maximum_percent, self.minimum_healthy_percent);
        if maximum.is_some_and(|m| !(100..=200).contains(&m)) {
            return Err(Error::Invalid("maximumPercent must be between 100 and 200.".into()));
        }
        if minimum.is_some_and(|m| m > 100) {
            return Err(Error::Invalid("minimumHealthyPercent must be between 0 and 100.".into()));
        }
        if maximum == Some(100) && minimum == Some(100) {
            return Err(Error::Invalid(
                "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments."
                    .into(),
            ));
        }
        let (breaker, alarms) = (self.deployment_circuit_breaker, self.alarms);
        let strategy = StrategyInput {
            kind: self.strategy,
            bake_minutes: self.bake_time_in_minutes,
            linear: self.linear_configuration,
            canary: self.canary_configuration,
            hooks: self.lifecycle_hooks,
        };
        Ok(Configuration { breaker, alarms, maximum, minimum, strategy })
    }
}

pub(crate) fn grace(given: Option<i64>, balancers: &[LoadBalancer]) -> Result<Option<i64>, Error> {
    match given {
        Some(_) if balancers.is_empty() => Err(Error::Invalid(
            "Health check grace period is only valid for services configured to use load balancers.".into(),
        )),
        Some(secs) if !(0..=2_147_483_647).contains(&secs) => {
            Err(Error::Invalid("healthCheckGracePeriodSeconds must be between 0 and 2147483647.".into()))
        }
        Some(secs) => Ok(Some(secs)),
        None => Ok((!balancers.is_empty()).then_some(0)),
    }
}

/// The configured resolutions. AWS has them for these metrics only, and each metric at most once.
pub(crate) fn monitoring(given: Option<MonitoringShape>) -> Result<Option<Vec<MetricConfiguration>>, Error> {
    let Some(given) = given else { return Ok(None) };
    let configurations = given.metric_configurations;
    if let Some(other) = configurations.iter().find(|c| !matches!(c.resolution_seconds, 20 | 60)) {
        let secs = other.resolution_seconds;
        return Err(Error::Invalid(format!("resolutionSeconds must be 20 or 60; it is {secs}.")));
    }
    let names: Vec<_> = configurations.iter().flat_map(|c| &c.metric_names).collect();
    let is_repeated = |(i, name)| names[..i].contains(name);
    if let Some((_, twice)) = names.iter().enumerate().find(|named| is_repeated((named.0, named.1))) {
        return Err(Error::Invalid(format!("The metric {twice} has more than one configuration.")));
    }
    Ok(Some(configurations))
}

pub(crate) fn check_controller(given: Option<&ControllerShape>) -> Result<(), Error> {
    match given.filter(|c| c.kind != DeploymentControllerType::Ecs) {
        Some(other) => Err(AwsError::not_supported(format_args!("The deployment controller {}", other.kind))
            .hint("Use ECS.")
            .into()),
        None => Ok(()),
    }
}

pub(crate) fn check_balancers(balancers: &[LoadBalancer], definition: &TaskDefinition) -> Result<(), Error> {
    for balancer in balancers {
        let (Some(_), Some(name), Some(port)) =
            (&balancer.target_group_arn, &balancer.container_name, balancer.container_port)
        else {
            return Err(Error::Invalid(
                "Each of loadBalancers must have targetGroupArn, containerName and containerPort.".into(),
            ));
        };
        let container = definition.containers.iter().find(|c| c.name == *name);
        let container = container.ok_or_else(|| {
            Error::Invalid(format!("The container {name} does not exist in the task definition."))
        })?;
        if !container.port_mappings.iter().any(|p| p.container_port == port) {
            return Err(Error::Invalid(format!(
                "The container {name} did not have a container port {port} defined."
            )));
        }
    }
    Ok(())
}

/// Whether a request switches rebalancing on. It needs room above the desired count: a task in the emptier zone starts first.
pub(crate) fn rebalance(
    given: Option<AvailabilityZoneRebalancing>,
    maximum_percent: u32,
) -> Result<Option<bool>, Error> {
    let is_on = given.map(|given| given == AvailabilityZoneRebalancing::Enabled);
    if is_on == Some(true) && maximum_percent <= 100 {
        return Err(Error::Invalid(
            "availabilityZoneRebalancing ENABLED needs a maximumPercent greater than 100.".into(),
        ));
    }
    Ok(is_on)
}

/// The parameters of a new deployment.
pub(crate) struct NewDeployment<'a> {
    pub definition: &'a TaskDefinition,
    pub network: AwsVpc,
    pub load_balancers: Vec<LoadBalancer>,
    pub service_registries: Vec<ServiceRegistry>,
    pub launch: Launch,
    pub platform_version: PlatformVersion,
}

pub(crate) fn deployment(now: Timestamp, new: NewDeployment<'_>) -> Deployment {
    let id = DeploymentId(format!("ecs-svc/{}", digits()));
    Deployment {
        reason: format!("ECS deployment {id} in progress."),
        id,
        family: new.definition.family.clone(),
        revision: new.definition.revision,
        network: new.network,
        load_balancers: new.load_balancers,
        is_on_alternate: false,
        traffic: None,
        service_registries: new.service_registries,
        launch: new.launch,
        platform_version: new.platform_version,
        created: now,
        updated: now,
        outcome: Outcome::InProgress,
        images: BTreeMap::new(),
        baking: None,
        is_rollback: false,
    }
}

/// Makes the last completed deployment the newest again; `None` if there is none. `by` is what decided it.
pub(crate) fn roll_back(service: &mut Service, now: Timestamp, by: &str) -> Option<DeploymentId> {
    let failed = service.deployments.first()?.id.clone();
    let good = service.deployments.iter().position(|d| d.outcome == Outcome::Completed)?;
    let mut back = service.deployments.remove(good);
    if let Some(newest) = service.deployments.first() {
        strategy::return_traffic(&mut back, newest, now);
    }
    back.outcome = Outcome::InProgress;
    back.updated = now;
    (back.is_rollback, back.baking) = (true, None);
    back.reason = format!("ECS deployment {by}: rolling back to deploymentId {} from {failed}.", back.id);
    let id = back.id.clone();
    service.deployments.insert(0, back);
    Some(id)
}

/// Why a deployment failed.
pub(crate) fn failure(failed: &FailedDeployment) -> String {
    let id = &failed.id;
    match &failed.alarm {
        Some(alarm) => format!("ECS deployment {id} failed: the alarm {alarm} went into the state ALARM."),
        None => format!("ECS deployment {id} failed: tasks failed to start."),
    }
}

/// The deployment with this id as failed.
pub(crate) fn failed(service: &Service, id: &DeploymentId) -> FailedDeployment {
    let last = service.last_failed.clone().filter(|failed| failed.id == *id);
    last.unwrap_or_else(|| FailedDeployment { id: id.clone(), alarm: None })
}

/// Nineteen random digits.
pub(crate) fn digits() -> String {
    // Sixty random bits are at most 1.2e18, so the sum below always has nineteen digits.
    let number = u64::from_str_radix(&ids::random_hex(15), 16).unwrap_or_default();
    format!("{:019}", number + 1_000_000_000_000_000_000)
}

/// Deletes the rows of an INACTIVE service, so that a new service can have its name.
pub(crate) fn delete_rows(cx: &mut Cx<'_>, key: &str) {
    let history: Vec<String> = history::of(cx.tx, key).iter().map(|d| d.key()).collect();
    for key in &history {
        cx.tx.delete::<ServiceDeployment>(key);
    }
    cx.tx.delete::<Service>(key);
    cx.tx.delete::<ServiceEvents>(key);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn configurations_without_effect_are_refused() {
        for (configuration, taken) in [
            (json!({"alarms": {"alarmNames": [], "enable": false, "rollback": false}}), true),
            (json!({"alarms": {"alarmNames": ["errors"], "enable": true, "rollback": true}}), true),
            (json!({"alarms": {"alarmNames": [], "enable": true, "rollback": true}}), false),
            (breaker(1), true),
            (breaker(0), false),
        ] {
            let input = <ConfigurationInput as Wire>::read(&configuration).unwrap();
            assert_eq!(input.read().is_ok(), taken, "{configuration}");
        }
    }

    fn breaker(value: u32) -> serde_json::Value {
        let threshold = json!({"type": "COUNT", "value": value});
        json!({"deploymentCircuitBreaker": {"enable": true, "rollback": true, "thresholdConfiguration": threshold}})
    }
}
