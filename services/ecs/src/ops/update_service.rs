//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html>

use crate::{
    Error,
    choices::AvailabilityZoneRebalancing,
    deploy::{self, ConfigurationInput, NewDeployment},
    history, infrastructure, place, registries, rules, shapes, strategy,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_store::Row;
use escale_tables::ecs::{
    Deployment, Launch, LoadBalancer, Outcome, PropagateTags, Service, ServiceRegistry, TaskDefinition,
};

pub(crate) struct UpdateService;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    cluster: Option<String>,
    service: String,
    desired_count: Option<u32>,
    task_definition: Option<String>,
    pub(crate) capacity_provider_strategy: Option<Vec<rules::StrategyInput>>,
    deployment_configuration: Option<ConfigurationInput>,
    deployment_controller: Option<shapes::ControllerShape>,
    load_balancers: Option<Vec<LoadBalancer>>,
    service_registries: Option<Vec<ServiceRegistry>>,
    availability_zone_rebalancing: Option<AvailabilityZoneRebalancing>,
    network_configuration: Option<shapes::NetworkShape>,
    platform_version: Option<String>,
    force_new_deployment: Option<bool>,
    health_check_grace_period_seconds: Option<i64>,
    enable_execute_command: Option<bool>,
    #[wire("enableECSManagedTags")]
    managed_tags: Option<bool>,
    propagate_tags: Option<PropagateTags>,
    monitoring: Option<shapes::MonitoringShape>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    pub(crate) service: shapes::ServiceShape,
}

impl Operation for UpdateService {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        let cluster = rules::cluster_name(input.cluster.as_deref());
        vec![rules::arn(cx.config, format!("service/{cluster}/{}", rules::last_part(&input.service)))]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let cluster = rules::cluster(cx.tx, input.cluster.as_deref())?;
        let mut row: Service = (*rules::service(cx.tx, &cluster.name, &input.service)?).clone();
        if row.deleted.is_some() {
            return Err(Error::ServiceNotActive);
        }
        deploy::check_controller(input.deployment_controller.as_ref())?;
        let last = row.deployments.first().cloned();
        let last = last.ok_or_else(|| Error::Invalid("The service has no deployment to update.".into()))?;
        let definition = match &input.task_definition {
            Some(given) => rules::active_definition(cx.tx, given)?,
            None => rules::definition(cx.tx, &format!("{}:{}", last.family, last.revision))
                .ok_or(Error::NoActiveDefinition)?,
        };
        let is_forced = input.force_new_deployment == Some(true);
        let next = next(cx, &input, &last, &definition)?;
        let service_arn = rules::service_arn(cx.config, &row);
        for balancer in input.load_balancers.iter().flatten() {
            infrastructure::check(cx, balancer, &service_arn)?;
        }
        configure(&mut row, input, &next.load_balancers)?;
        strategy::check(row.traffic.as_ref(), &next.load_balancers)?;
        let begins = is_forced || differs(&next, &last);
        if begins {
            // The old deployments stay in the list until the scheduler completes the new one.
            strategy::begin(&mut row, deploy::deployment(cx.now, next), cx.now)?;
            let has_shifted = row.deployments.get(1).is_some_and(|d| d.outcome == Outcome::Completed);
            if has_shifted {
                history::complete(cx.tx, &row.key(), cx.now);
            }
        }
        cx.tx.put(row.clone());
        if begins {
            history::begin(cx.tx, &row, cx.now);
        }
        Ok(Output { service: shapes::service(cx.tx, cx.config, &row, true) })
    }
}

/// The parameters of the service's tasks after the update.
fn next<'a>(
    cx: &Cx<'_>,
    input: &Input,
    last: &Deployment,
    definition: &'a TaskDefinition,
) -> Result<NewDeployment<'a>, Error> {
    let network = input.network_configuration.as_ref().and_then(|n| n.awsvpc_configuration.clone());
    if let Some(network) = &network {
        place::subnets(cx, network)?;
    }
    let launch = match &input.capacity_provider_strategy {
        Some(items) if items.is_empty() => Launch::Fargate,
        Some(items) => Launch::Strategy(rules::strategy(items)?),
        None => last.launch.clone(),
    };
    let platform_version = match &input.platform_version {
        Some(given) => rules::platform_version(Some(given))?,
        None => last.platform_version,
    };
    let load_balancers = input.load_balancers.clone().unwrap_or_else(|| last.configured_load_balancers());
    deploy::check_balancers(&load_balancers, definition)?;
    let service_registries = input.service_registries.as_ref().unwrap_or(&last.service_registries).clone();
    registries::check(cx.tx, &service_registries, definition)?;
    let network = network.unwrap_or_else(|| last.network.clone());
    Ok(NewDeployment { definition, network, load_balancers, service_registries, launch, platform_version })
}

/// Only a change to the tasks themselves starts a deployment. A new desired count applies to the current one.
fn differs(next: &NewDeployment<'_>, last: &Deployment) -> bool {
    (next.definition.family.as_str(), next.definition.revision) != (&last.family, last.revision)
        || next.network != last.network
        || next.load_balancers != last.configured_load_balancers()
        || next.service_registries != last.service_registries
        || next.launch != last.launch
        || next.platform_version != last.platform_version
}

/// Changes what applies to all deployments of the service.
fn configure(row: &mut Service, input: Input, balancers: &[LoadBalancer]) -> Result<(), Error> {
    if let Some(configuration) = input.deployment_configuration {
        let read = configuration.read()?;
        row.minimum_percent = read.minimum.unwrap_or(row.minimum_percent);
        row.maximum_percent = read.maximum.unwrap_or(row.maximum_percent);
        if let Some(breaker) = read.breaker {
            (row.circuit_breaker, row.rollback) = (breaker.enable, breaker.rollback);
            row.threshold = breaker.threshold_configuration;
        }
        row.alarms = read.alarms.or(row.alarms.take());
        row.traffic = read.strategy.apply(row.traffic.take())?;
    }
    let kept = row.grace_secs.filter(|_| !balancers.is_empty());
    row.grace_secs = deploy::grace(input.health_check_grace_period_seconds.or(kept), balancers)?;
    if let Some(given) = deploy::rebalance(input.availability_zone_rebalancing, row.maximum_percent)? {
        row.rebalance = given;
    }
    row.managed_tags = input.managed_tags.unwrap_or(row.managed_tags);
    // Running tasks keep theirs, as on AWS.
    row.execute_command = input.enable_execute_command.unwrap_or(row.execute_command);
    row.propagate_tags = input.propagate_tags.unwrap_or(row.propagate_tags);
    if let Some(monitoring) = deploy::monitoring(input.monitoring)? {
        row.monitoring = monitoring;
    }
    row.desired = input.desired_count.unwrap_or(row.desired);
    Ok(())
}
