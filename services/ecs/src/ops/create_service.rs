//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html>

use crate::{
    Error,
    choices::{AvailabilityZoneRebalancing, LaunchType, SchedulingStrategy, ServiceStatus},
    deploy::{self, ConfigurationInput, NewDeployment},
    history, infrastructure, place, registries, rules, shapes, strategy,
};
use escale_base::{AwsError, Wire};
use escale_service::{Cx, Operation};
use escale_store::Row;
use escale_tables::ecs::{Launch, LoadBalancer, PropagateTags, Service, ServiceName, ServiceRegistry};

pub(crate) struct CreateService;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    cluster: Option<String>,
    service_name: ServiceName,
    task_definition: Option<String>,
    availability_zone_rebalancing: Option<AvailabilityZoneRebalancing>,
    load_balancers: Vec<LoadBalancer>,
    service_registries: Vec<ServiceRegistry>,
    desired_count: Option<u32>,
    client_token: Option<String>,
    launch_type: Option<LaunchType>,
    capacity_provider_strategy: Vec<rules::StrategyInput>,
    platform_version: Option<String>,
    deployment_configuration: Option<ConfigurationInput>,
    network_configuration: Option<shapes::NetworkShape>,
    health_check_grace_period_seconds: Option<i64>,
    scheduling_strategy: Option<SchedulingStrategy>,
    deployment_controller: Option<shapes::ControllerShape>,
    tags: Vec<rules::TagShape>,
    #[wire("enableECSManagedTags")]
    managed_tags: Option<bool>,
    propagate_tags: Option<PropagateTags>,
    enable_execute_command: Option<bool>,
    monitoring: Option<shapes::MonitoringShape>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    pub(crate) service: shapes::ServiceShape,
}

impl Operation for CreateService {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        let cluster = rules::cluster_name(input.cluster.as_deref());
        vec![rules::arn(cx.config, format!("service/{cluster}/{}", input.service_name))]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let cluster = rules::cluster(cx.tx, input.cluster.as_deref())?;
        rules::check_name("serviceName", &input.service_name)?;
        let key = format!("{}/{}", cluster.name, input.service_name);
        free_name(cx, &key)?;
        check(&input)?;
        let given = input.task_definition.as_deref();
        let given = given.ok_or_else(|| Error::Invalid(deploy::NO_DEFINITION.into()))?;
        let definition = rules::active_definition(cx.tx, given)?;
        let network = input
            .network_configuration
            .and_then(|n| n.awsvpc_configuration)
            .ok_or_else(|| Error::Invalid(deploy::NO_NETWORK.into()))?;
        place::subnets(cx, &network)?;
        deploy::check_balancers(&input.load_balancers, &definition)?;
        registries::check(cx.tx, &input.service_registries, &definition)?;
        let grace_secs = deploy::grace(input.health_check_grace_period_seconds, &input.load_balancers)?;
        let strategy = super::strategy(input.launch_type, input.capacity_provider_strategy, &cluster)?;
        let launch = if strategy.is_empty() { Launch::Fargate } else { Launch::Strategy(strategy) };
        let platform_version = rules::platform_version(input.platform_version.as_deref())?;
        let configuration = input.deployment_configuration.unwrap_or_default().read()?;
        let traffic = configuration.strategy.apply(None)?;
        strategy::check(traffic.as_ref(), &input.load_balancers)?;
        let service_arn = rules::arn(cx.config, format!("service/{key}"));
        for balancer in &input.load_balancers {
            infrastructure::check(cx, balancer, &service_arn)?;
        }
        let maximum_percent = configuration.maximum.unwrap_or(deploy::MAXIMUM_PERCENT);
        let rebalance = deploy::rebalance(input.availability_zone_rebalancing, maximum_percent)?;
        let new = NewDeployment {
            definition: &definition,
            network,
            load_balancers: input.load_balancers,
            service_registries: input.service_registries,
            launch,
            platform_version,
        };
        let mut row = Service {
            cluster: cluster.name.clone(),
            name: input.service_name,
            desired: input.desired_count.unwrap_or(1),
            minimum_percent: configuration.minimum.unwrap_or(deploy::MINIMUM_PERCENT),
            maximum_percent,
            circuit_breaker: configuration.breaker.as_ref().is_some_and(|b| b.enable),
            rollback: configuration.breaker.as_ref().is_some_and(|b| b.rollback),
            threshold: configuration.breaker.as_ref().and_then(|b| b.threshold_configuration),
            alarms: configuration.alarms,
            traffic,
            last_failed: None,
            grace_secs,
            // AWS's default for a new service is on; an update keeps the service's own value.
            rebalance: rebalance.unwrap_or(maximum_percent > 100),
            managed_tags: input.managed_tags.unwrap_or(false),
            execute_command: input.enable_execute_command.unwrap_or(false),
            propagate_tags: input.propagate_tags.unwrap_or(PropagateTags::None),
            monitoring: deploy::monitoring(input.monitoring)?.unwrap_or_default(),
            deployments: Vec::new(),
            deleted: None,
            created_by: rules::caller_arn(cx),
            tags: rules::tags_in(input.tags),
            created: cx.now,
        };
        debug_assert_eq!(row.key(), key);
        strategy::begin(&mut row, deploy::deployment(cx.now, new), cx.now)?;
        cx.tx.put(row.clone());
        history::begin(cx.tx, &row, cx.now);
        Ok(Output { service: shapes::service(cx.tx, cx.config, &row, true) })
    }
}

fn free_name(cx: &mut Cx<'_>, key: &str) -> Result<(), Error> {
    let Some(there) = cx.tx.get::<Service>(key) else { return Ok(()) };
    match shapes::service_status(cx.tx, &there) {
        ServiceStatus::Active => Err(Error::Invalid("Creation of service was not idempotent.".into())),
        ServiceStatus::Draining => {
            Err(Error::Invalid("Unable to Start a service that is still Draining.".into()))
        }
        // An INACTIVE service is kept only to be described. Its name is free.
        ServiceStatus::Inactive => {
            deploy::delete_rows(cx, key);
            Ok(())
        }
    }
}

fn check(input: &Input) -> Result<(), Error> {
    if let Some(other) = input.scheduling_strategy.filter(|s| *s != SchedulingStrategy::Replica) {
        return Err(AwsError::not_supported(format_args!("The scheduling strategy {other}"))
            .hint("Use REPLICA.")
            .into());
    }
    deploy::check_controller(input.deployment_controller.as_ref())
}
