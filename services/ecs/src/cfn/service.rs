//! `AWS::ECS::Service`: its deployments continue after their transaction.

use super::change_tags;
use crate::{
    Error,
    choices::{AvailabilityZoneRebalancing, ServiceField, ServiceStatus},
    deploy, failure_report,
    ops::{
        self, create_service::CreateService, delete_service::DeleteService,
        describe_services::DescribeServices, update_service::UpdateService,
    },
    rules, shapes, status, strategy, target_check,
};
use escale_base::{
    AwsError, found,
    wire::{Map, Value, Wire},
};
use escale_service::{
    Created, Cx, InputDraft, PropertyChange, Props, Readiness, ResourceType, Update, properties_of,
};
use escale_store::{Image, Row};
use escale_tables::ecs::{
    Deployment, DeploymentAlarms, DeploymentId, LoadBalancer, MetricConfiguration, Outcome, PropagateTags,
    Service, ServiceRegistry, StrategyItem, Task,
};
use std::sync::Arc;

const SERVICE: &str = "AWS::ECS::Service";
/// A private value: the newest deployment after the stack's last change, unless it only changed tags.
const DEPLOYMENT: &str = "Deployment";

pub(super) fn service_type() -> ResourceType {
    ResourceType::new(
        SERVICE,
        &[
            "ServiceName",
            "Cluster",
            "TaskDefinition",
            "DesiredCount",
            "LaunchType",
            "CapacityProviderStrategy",
            "PlatformVersion",
            "DeploymentConfiguration",
            "NetworkConfiguration",
            "LoadBalancers",
            "ServiceRegistries",
            "HealthCheckGracePeriodSeconds",
            "SchedulingStrategy",
            "DeploymentController",
            "AvailabilityZoneRebalancing",
            "EnableECSManagedTags",
            "EnableExecuteCommand",
            "Monitoring",
            "PropagateTags",
            "Tags",
        ],
        create_service,
        delete_service,
    )
    .ready(service_ready)
    .update(update_service)
    .replaces_if(service_is_replaced)
    .read(read_service)
    .gone(service_gone)
}

/// The launch type itself cannot change, but a service can change between a launch type and a capacity provider strategy:
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecs-service.html>
fn service_is_replaced(change: &PropertyChange<'_>) -> bool {
    change.property == "LaunchType"
        && change.before.contains_key("LaunchType")
        && change.after.contains_key("LaunchType")
}

fn create_service(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let input = props.input_without::<CreateService>(&["ServiceName", "Tags"]);
    let input =
        input.with("serviceName", &props.name_or_generated("ServiceName", 255)).with("tags", &props.tags()?);
    let made = input.call(cx)?.service;
    let created = Created::new(made.service_arn.as_str())
        .with("ServiceArn", made.service_arn.as_str())
        .with("Name", made.service_name.as_str());
    Ok(at_newest(created, &made))
}

fn at_newest(created: Created, service: &shapes::ServiceShape) -> Created {
    match service.deployments.first() {
        Some(newest) => created.with_private(DEPLOYMENT, newest.id.as_str()),
        None => created,
    }
}

fn update_service(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let (created, after) = (update.created, update.after);
    change_tags(cx, update, &created.physical_id)?;
    let Some(row) = service_of(cx.tx, created) else { return Err(Error::NoService.into()) };
    let is_only_tagged = update.changed.iter().all(|property| property == "Tags");
    if is_only_tagged {
        // There is nothing to wait for, also if a deployment that somebody else started fails.
        let mut created = created.clone();
        created.private.remove(DEPLOYMENT);
        return Ok(created);
    }
    for (property, why) in
        [("TaskDefinition", deploy::NO_DEFINITION), ("NetworkConfiguration", deploy::NO_NETWORK)]
    {
        if after.get(property).is_none() {
            return Err(Error::Invalid(why.into()).into());
        }
    }
    // As on AWS, every property of the template is set again. Without a DesiredCount the service keeps its own.
    let input = after.input_without::<UpdateService>(&[
        "ServiceName",
        "Cluster",
        "LaunchType",
        "CapacityProviderStrategy",
        "SchedulingStrategy",
        "DeploymentConfiguration",
        "Tags",
    ]);
    let input = with_defaults(input, update);
    let is_relaunched = update.any_changed(&["LaunchType", "CapacityProviderStrategy"]);
    let capacity = if is_relaunched { Some(capacity(cx, after, &row)?) } else { None };
    let input = input
        .with("capacityProviderStrategy", &capacity)
        .with("cluster", &row.cluster)
        .with("service", &row.name);
    let made = input.call(cx)?.service;
    Ok(at_newest(created.clone(), &made))
}

/// Adds AWS's defaults for the properties that the new template no longer has.
fn with_defaults(input: InputDraft<UpdateService>, update: &Update<'_>) -> InputDraft<UpdateService> {
    let after = update.after;
    let removed = |property: &str| update.changed(property) && after.get(property).is_none();
    let has_balancers = after.get("LoadBalancers").and_then(Value::as_array).is_some_and(|b| !b.is_empty());
    let is_configured =
        update.changed("DeploymentConfiguration") || after.get("DeploymentConfiguration").is_some();
    let configuration = deployment_configuration(after);
    let has_room = configuration.get("MaximumPercent").and_then(Value::as_u64).is_none_or(|most| most > 100);
    let rebalancing =
        if has_room { AvailabilityZoneRebalancing::Enabled } else { AvailabilityZoneRebalancing::Disabled };
    let no_grace = removed("HealthCheckGracePeriodSeconds") && has_balancers;
    input
        .with("loadBalancers", &removed("LoadBalancers").then(Vec::<LoadBalancer>::new))
        .with("serviceRegistries", &removed("ServiceRegistries").then(Vec::<ServiceRegistry>::new))
        .with("healthCheckGracePeriodSeconds", &no_grace.then_some(0))
        .with("platformVersion", &removed("PlatformVersion").then(|| "LATEST".to_owned()))
        .with("deploymentConfiguration", &is_configured.then_some(Value::Object(configuration)))
        .with("availabilityZoneRebalancing", &removed("AvailabilityZoneRebalancing").then_some(rebalancing))
        .with("enableECSManagedTags", &removed("EnableECSManagedTags").then_some(false))
        .with("enableExecuteCommand", &removed("EnableExecuteCommand").then_some(false))
        .with(
            "monitoring",
            &removed("Monitoring").then(|| shapes::MonitoringShape { metric_configurations: Vec::new() }),
        )
        .with("propagateTags", &removed("PropagateTags").then_some(PropagateTags::None))
}

/// The template's deployment configuration, with the defaults of CreateService for the rest: UpdateService would keep the
/// service's values.
fn deployment_configuration(props: &Props<'_>) -> Map<String, Value> {
    let given = props.get("DeploymentConfiguration").and_then(Value::as_object);
    let mut whole = Map::new();
    whole.insert("MaximumPercent".into(), deploy::MAXIMUM_PERCENT.into());
    whole.insert("MinimumHealthyPercent".into(), deploy::MINIMUM_PERCENT.into());
    let breaker = shapes::BreakerShape { enable: false, rollback: false, threshold_configuration: None };
    whole.insert("DeploymentCircuitBreaker".into(), breaker.write());
    whole.insert("Alarms".into(), DeploymentAlarms::default().write());
    let is_rolling = given.is_none_or(|given| given.get("Strategy").is_none_or(|kind| kind == "ROLLING"));
    if is_rolling {
        whole.insert("Strategy".into(), "ROLLING".into());
    } else {
        whole.insert("BakeTimeInMinutes".into(), strategy::BAKE_MINUTES.into());
        whole.insert("LifecycleHooks".into(), Value::Array(Vec::new()));
    }
    whole.extend(given.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())));
    whole
}

/// The strategy by the rules of CreateService. It is empty for the launch type FARGATE.
fn capacity(cx: &Cx<'_>, props: &Props<'_>, service: &Service) -> Result<Vec<StrategyItem>, AwsError> {
    let cluster = rules::cluster(cx.tx, Some(&service.cluster))?;
    let given = props.input::<UpdateService>(&["CapacityProviderStrategy"]).with("service", &service.name);
    let given = given.read()?.capacity_provider_strategy.unwrap_or_default();
    Ok(ops::strategy(props.read("LaunchType")?, given, &cluster)?)
}

/// `arn:…:service/CLUSTER/NAME`
fn service_of(image: &Image, created: &Created) -> Option<std::sync::Arc<Service>> {
    let (_, key) = created.physical_id.split_once(":service/")?;
    image.get::<Service>(key)
}

fn service_ready(image: &Image, created: &Created) -> Readiness {
    let Some(service) = service_of(image, created).filter(|service| service.deleted.is_none()) else {
        return Readiness::Failed("the service no longer exists".into());
    };
    let awaited = created.private.get(DEPLOYMENT).and_then(Value::as_str);
    let (Some(newest), Some(awaited)) = (service.deployments.first(), awaited) else {
        return Readiness::ready();
    };
    if let Some(failed) = failed_deployment(&service, newest, awaited) {
        return match failure_report::of_deployment(image, &service, &failed) {
            Ok(why) => {
                let failed = deploy::failed(&service, &failed);
                let by = if failed.alarm.is_some() { "Alarms were" } else { "Circuit Breaker was" };
                let failure = deploy::failure(&failed);
                Readiness::Failed(format!(
                    "ECS Deployment {by} triggered: service {}: {failure}{why}",
                    service.name
                ))
            }
            // The deployment has failed already. Wait for the end of its tasks, so that the error can name the cause.
            Err(pending) => Readiness::Pending(pending),
        };
    }
    if newest.outcome == Outcome::Completed && service.deployments.len() == 1 && is_at_count(image, &service)
    {
        return Readiness::ready();
    }
    // The circuit breaker takes minutes to decide, and not every service has one. Report the failing checks before.
    let check = target_check::failing_check(image, &service).map(|check| format!("health check {check}"));
    let report = || failure_report::of_deployment(image, &service, &newest.id).unwrap_or_default();
    match check.or_else(|| report().lines().next().map(|line| line.trim_start().to_owned())) {
        Some(why) => Readiness::failing(&why),
        None => Readiness::Pending(format!("{} has not reached a steady state yet", service.key())),
    }
}

/// The deployment of the stack's last change, if the circuit breaker stopped it. After a rollback the service may no longer list
/// it. A deployment that failed before the change does not count: a rollback of the stack replaces it.
fn failed_deployment(service: &Service, newest: &Deployment, awaited: &str) -> Option<DeploymentId> {
    let of_stack = service.deployments.iter().find(|d| d.id.as_str() == awaited);
    match of_stack.filter(|d| d.outcome == Outcome::Failed) {
        Some(failed) => Some(failed.id.clone()),
        None if newest.outcome == Outcome::Failed => Some(newest.id.clone()),
        None if newest.is_rollback && newest.id.as_str() != awaited => Some(awaited.into()),
        None => None,
    }
}

/// A new desired count starts no deployment.
fn is_at_count(image: &Image, service: &Service) -> bool {
    let key = service.key();
    let tasks = image.scan::<Task>().filter(|t| t.service.as_ref().is_some_and(|s| s.key == key));
    let tasks: Vec<Arc<Task>> = tasks.collect();
    status::count(image, tasks.iter()).0 == service.desired as i32
}

fn read_service(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let Some(row) = service_of(cx.tx, created) else { return Ok(None) };
    let input = InputDraft::<DescribeServices>::new().with("cluster", &row.cluster);
    let input = input.with("services", &vec![row.name.clone()]).with("include", &vec![ServiceField::Tags]);
    let answer = found(input.call(cx))?;
    let service = answer.into_iter().flat_map(|answer| answer.services);
    let service = service.into_iter().find(|service| service.status == ServiceStatus::Active);
    Ok(service.map(|service| {
        let mut properties = properties_of(SERVICE, &service, &[]);
        properties.insert("Cluster".into(), row.cluster.as_str().into());
        if !row.monitoring.is_empty() {
            // DescribeServices does not return it.
            let monitoring = shapes::MonitoringShape { metric_configurations: row.monitoring.clone() };
            properties.insert("Monitoring".into(), properties_of_monitoring(&monitoring));
        }
        properties
    }))
}

/// The configuration in the letters of the template.
fn properties_of_monitoring(monitoring: &shapes::MonitoringShape) -> Value {
    let configuration = |c: &MetricConfiguration| {
        let names: Value = c.metric_names.iter().map(Wire::write).collect();
        let resolution = ("ResolutionSeconds".to_owned(), c.resolution_seconds.into());
        Value::Object(Map::from_iter([("MetricNames".to_owned(), names), resolution]))
    };
    let all: Value = monitoring.metric_configurations.iter().map(configuration).collect();
    Value::Object(Map::from_iter([("MetricConfigurations".to_owned(), all)]))
}

fn delete_service(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    match service_of(cx.tx, created) {
        Some(service) if service.deleted.is_none() => {
            let input = InputDraft::<DeleteService>::new().with("cluster", &service.cluster);
            // Without `force`, ECS refuses to delete a service whose desired count is above 0.
            input.with("service", &service.name).with("force", &true).call(cx).map(drop)
        }
        _ => Ok(()),
    }
}

fn service_gone(image: &Image, created: &Created) -> Readiness {
    match service_of(image, created) {
        Some(service) if shapes::service_status(image, &service) != ServiceStatus::Inactive => {
            Readiness::Pending(format!("the tasks of {} are stopping", service.key()))
        }
        _ => Readiness::ready(),
    }
}
