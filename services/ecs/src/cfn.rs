//! CloudFormation: clusters, their capacity providers, task definitions, services.

use crate::choices::ServiceStatus;
use crate::{autopsy, rules, shapes, sight};
use escale_base::{AwsError, wire::Value};
use escale_service::{Created, Cx, Props, Readiness, ResourceType, Resources, answer};
use escale_store::{Image, Row};
use escale_tables::ecs::{Cluster, Outcome, Service};
use serde_json::{Map, json};

pub(crate) fn types() -> Resources {
    vec![
        ResourceType {
            name: "AWS::ECS::Cluster",
            properties: &[
                "ClusterName",
                "ClusterSettings",
                "CapacityProviders",
                "DefaultCapacityProviderStrategy",
                "Tags",
            ],
            create: create_cluster,
            ready: |_, _| Readiness::ready(),
            delete: delete_cluster,
            gone: |_, _| Readiness::ready(),
        },
        ResourceType {
            name: "AWS::ECS::ClusterCapacityProviderAssociations",
            properties: &["Cluster", "CapacityProviders", "DefaultCapacityProviderStrategy"],
            create: create_associations,
            ready: |_, _| Readiness::ready(),
            delete: delete_associations,
            gone: |_, _| Readiness::ready(),
        },
        ResourceType {
            name: "AWS::ECS::TaskDefinition",
            properties: &[
                "Family",
                "TaskRoleArn",
                "ExecutionRoleArn",
                "NetworkMode",
                "ContainerDefinitions",
                "Volumes",
                "RequiresCompatibilities",
                "Cpu",
                "Memory",
                "EphemeralStorage",
                "RuntimePlatform",
                "Tags",
            ],
            create: create_definition,
            ready: |_, _| Readiness::ready(),
            delete: delete_definition,
            gone: |_, _| Readiness::ready(),
        },
        ResourceType {
            name: "AWS::ECS::Service",
            properties: &[
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
                "HealthCheckGracePeriodSeconds",
                "SchedulingStrategy",
                "DeploymentController",
                "AvailabilityZoneRebalancing",
                "EnableECSManagedTags",
                "EnableExecuteCommand",
                "PropagateTags",
                "Tags",
            ],
            create: create_service,
            ready: service_ready,
            delete: delete_service,
            gone: service_gone,
        },
    ]
}

/// Members whose text CloudFormation takes for a number or a boolean.
const NUMBERS: &[&str] = &[
    "containerPort",
    "hostPort",
    "desiredCount",
    "healthCheckGracePeriodSeconds",
    "maximumPercent",
    "minimumHealthyPercent",
    "weight",
    "base",
    "interval",
    "timeout",
    "retries",
    "startPeriod",
    "startTimeout",
    "stopTimeout",
    "memoryReservation",
    "softLimit",
    "hardLimit",
    "sizeInGiB",
];
const BOOLEANS: &[&str] = &[
    "essential",
    "readOnly",
    "readonlyRootFilesystem",
    "privileged",
    "enable",
    "rollback",
    "enableECSManagedTags",
    "enableExecuteCommand",
    "initProcessEnabled",
    "interactive",
    "pseudoTerminal",
];
/// Members below which keys are data.
const MAPS: &[&str] = &["options", "dockerLabels"];

/// A template's spelling as the API's: `ContainerPort` as `containerPort`.
fn api(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(api).collect(),
        Value::Object(object) => {
            let convert = |(key, inner): (&String, &Value)| {
                let name = small(key);
                let inner = match inner {
                    map if MAPS.contains(&name.as_str()) => map.clone(),
                    Value::String(s) if NUMBERS.contains(&name.as_str()) => {
                        s.parse::<i64>().map_or_else(|_| inner.clone(), Value::from)
                    }
                    // Of a container they are numbers, of a task they are texts.
                    Value::String(s) if ["cpu", "memory"].contains(&name.as_str()) => {
                        s.parse::<i64>().map_or_else(|_| inner.clone(), Value::from)
                    }
                    Value::String(s) if BOOLEANS.contains(&name.as_str()) => {
                        s.parse::<bool>().map_or_else(|_| inner.clone(), Value::from)
                    }
                    other => api(other),
                };
                (name, inner)
            };
            Value::Object(object.iter().map(convert).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

fn small(key: &str) -> String {
    let mut letters = key.chars();
    letters.next().map(|c| c.to_ascii_lowercase().to_string() + letters.as_str()).unwrap_or_default()
}

/// The properties in the API's spelling; tags apart.
fn input(props: &Props<'_>) -> Value {
    let mut value = api(&Value::Object(props.values.clone()));
    value["tags"] = api(&props.tags());
    value
}

fn create_cluster(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let mut input = input(props);
    input["clusterName"] = props.name_or_generated("ClusterName", 255).into();
    if let Some(settings) = input.as_object_mut().and_then(|o| o.remove("clusterSettings")) {
        input["settings"] = settings;
    }
    let name = answer::text(&input, "/clusterName")?.to_owned();
    if rules::cluster(cx.tx, Some(&name)).is_ok() {
        return Err(crate::Error::Invalid(format!("{name} already exists")).into());
    }
    let answer = cx.call_untyped("ecs", "CreateCluster", input)?;
    Ok(Created::new(name).with("Arn", answer["cluster"]["clusterArn"].clone()))
}

fn delete_cluster(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    if rules::cluster(cx.tx, Some(&created.physical_id)).is_err() {
        return Ok(());
    }
    cx.call_untyped("ecs", "DeleteCluster", json!({ "cluster": created.physical_id })).map(|_| ())
}

fn create_associations(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let mut input = input(props);
    if let Some(object) = input.as_object_mut() {
        object.remove("tags");
    }
    cx.call_untyped("ecs", "PutClusterCapacityProviders", input)?;
    Ok(Created::new(rules::cluster_name(props.str("Cluster"))))
}

fn delete_associations(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    if cx.tx.get::<Cluster>(&created.physical_id).is_none_or(|c| c.deleted.is_some()) {
        return Ok(());
    }
    let none: [&str; 0] = [];
    let input = json!({
        "cluster": created.physical_id, "capacityProviders": none, "defaultCapacityProviderStrategy": none,
    });
    cx.call_untyped("ecs", "PutClusterCapacityProviders", input).map(|_| ())
}

fn create_definition(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let mut input = input(props);
    input["family"] = props.name_or_generated("Family", 255).into();
    for name in ["cpu", "memory"] {
        if let Some(number) = input[name].as_i64() {
            input[name] = number.to_string().into();
        }
    }
    let answer = cx.call_untyped("ecs", "RegisterTaskDefinition", input)?;
    let arn = answer::text(&answer, "/taskDefinition/taskDefinitionArn")?.to_owned();
    Ok(Created::new(arn.clone()).with("TaskDefinitionArn", arn))
}

fn delete_definition(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    if rules::definition(cx.tx, &created.physical_id).is_none() {
        return Ok(());
    }
    let input = json!({ "taskDefinition": created.physical_id });
    cx.call_untyped("ecs", "DeregisterTaskDefinition", input).map(|_| ())
}

fn create_service(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let mut input = input(props);
    input["serviceName"] = props.name_or_generated("ServiceName", 255).into();
    let answer = cx.call_untyped("ecs", "CreateService", input)?;
    let service = &answer["service"];
    let arn = answer::text(service, "/serviceArn")?.to_owned();
    Ok(Created::new(arn.clone()).with("ServiceArn", arn).with("Name", service["serviceName"].clone()))
}

/// `arn:…:service/CLUSTER/NAME`
fn service_of(image: &Image, created: &Created) -> Option<std::sync::Arc<Service>> {
    let (_, key) = created.physical_id.split_once(":service/")?;
    image.get::<Service>(key)
}

fn service_ready(image: &Image, created: &Created) -> Readiness {
    let Some(service) = service_of(image, created) else {
        return Readiness::Failed("the service is gone".into());
    };
    let Some(newest) = service.deployments.first() else { return Readiness::ready() };
    let rolled_back = service.deployments.iter().find(|d| d.outcome == Outcome::Failed);
    match (newest.outcome, rolled_back) {
        (_, Some(failed)) => match autopsy::of_deployment(image, &service, failed) {
            Ok(why) => Readiness::Failed(format!(
                "ECS Deployment Circuit Breaker was triggered: service {}: {}{why}",
                service.name, failed.reason
            )),
            // It has failed already; but whoever reads it wants to know of what.
            Err(pending) => Readiness::Pending(pending),
        },
        (Outcome::Completed, None) if service.deployments.len() == 1 => Readiness::ready(),
        _ => {
            // It may take minutes until a failure is certain, and without a circuit breaker it never is.
            let check = sight::failing_check(image, &service).map(|check| format!("health check {check}"));
            let of_late = || autopsy::of_deployment(image, &service, newest).unwrap_or_default();
            match check.or_else(|| of_late().lines().next().map(|last| last.trim_start().to_owned())) {
                Some(why) => Readiness::failing(&why),
                None => Readiness::Pending(format!("{} to reach a steady state", service.key())),
            }
        }
    }
}

fn delete_service(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    match service_of(cx.tx, created) {
        Some(service) if service.deleted.is_none() => {
            let input = json!({ "cluster": service.cluster, "service": service.name, "force": true });
            cx.call_untyped("ecs", "DeleteService", input).map(|_| ())
        }
        _ => Ok(()),
    }
}

fn service_gone(image: &Image, created: &Created) -> Readiness {
    match service_of(image, created) {
        Some(service) if shapes::service_status(image, &service) != ServiceStatus::Inactive => {
            Readiness::Pending(format!("the tasks of {} to stop", service.key()))
        }
        _ => Readiness::ready(),
    }
}
