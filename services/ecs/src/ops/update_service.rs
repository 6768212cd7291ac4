//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html>

use crate::{
    Error,
    choices::AvailabilityZoneRebalancing,
    deploy::{self, ConfigurationInput, NewDeployment},
    place, rules, shapes,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ecs::{Launch, PropagateTags, Service};

pub(crate) struct UpdateService;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    cluster: Option<String>,
    service: String,
    desired_count: Option<u32>,
    task_definition: Option<String>,
    capacity_provider_strategy: Option<Vec<rules::StrategyInput>>,
    deployment_configuration: Option<ConfigurationInput>,
    availability_zone_rebalancing: Option<AvailabilityZoneRebalancing>,
    network_configuration: Option<shapes::NetworkShape>,
    platform_version: Option<String>,
    force_new_deployment: Option<bool>,
    health_check_grace_period_seconds: Option<i64>,
    enable_execute_command: Option<bool>,
    #[wire("enableECSManagedTags")]
    managed_tags: Option<bool>,
    propagate_tags: Option<PropagateTags>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    service: shapes::ServiceShape,
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
        if input.enable_execute_command == Some(true) {
            return Err(Error::NotSupported("enableExecuteCommand: true".into()));
        }
        if let Some(configuration) = input.deployment_configuration {
            let read = configuration.read()?;
            row.minimum_percent = read.minimum.unwrap_or(row.minimum_percent);
            row.maximum_percent = read.maximum.unwrap_or(row.maximum_percent);
            if let Some(breaker) = read.breaker {
                (row.circuit_breaker, row.rollback) = (breaker.enable, breaker.rollback);
            }
        }
        if input.health_check_grace_period_seconds.is_some() {
            row.grace_secs = deploy::grace(input.health_check_grace_period_seconds, &row.load_balancers)?;
        }
        if let Some(given) = deploy::rebalance(input.availability_zone_rebalancing, row.maximum_percent)? {
            row.rebalance = given;
        }
        row.managed_tags = input.managed_tags.unwrap_or(row.managed_tags);
        row.propagate_tags = input.propagate_tags.unwrap_or(row.propagate_tags);
        row.desired = input.desired_count.unwrap_or(row.desired);
        let last = row.deployments.first().cloned();
        let last = last.ok_or_else(|| Error::Invalid("The service has no deployment to update.".into()))?;
        let definition = match &input.task_definition {
            Some(given) => rules::active_definition(cx.tx, given)?,
            None => rules::definition(cx.tx, &format!("{}:{}", last.family, last.revision))
                .ok_or(Error::NoActiveDefinition)?,
        };
        let network = input.network_configuration.and_then(|n| n.awsvpc_configuration);
        if let Some(network) = &network {
            place::subnets(cx, network)?;
        }
        let launch = match input.capacity_provider_strategy {
            Some(items) => {
                let items = rules::strategy(items)?;
                if items.is_empty() { Launch::Fargate } else { Launch::Strategy(items) }
            }
            None => last.launch.clone(),
        };
        let platform_version = match &input.platform_version {
            Some(given) => rules::platform_version(Some(given))?,
            None => last.platform_version,
        };
        let network = network.unwrap_or_else(|| last.network.clone());
        // Only a change to the tasks themselves starts a deployment. A new desired count applies to the current one.
        let differs = (definition.family.as_str(), definition.revision) != (&last.family, last.revision)
            || network != last.network
            || launch != last.launch
            || platform_version != last.platform_version;
        if differs || input.force_new_deployment == Some(true) {
            let new = NewDeployment { definition: &definition, network, launch, platform_version };
            // The old deployments stay in the list until the scheduler completes the new one.
            row.deployments.insert(0, deploy::deployment(cx.now, new));
        }
        cx.tx.put(row.clone());
        Ok(Output { service: shapes::service(cx.tx, cx.config, &row, true) })
    }
}
