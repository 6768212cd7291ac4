//! CloudFormation: clusters, their capacity providers, task definitions, services.

use crate::{
    choices::ServiceStatus,
    failure_report,
    ops::{
        create_cluster::CreateCluster, create_service::CreateService, delete_cluster::DeleteCluster,
        delete_service::DeleteService, deregister_task_definition::DeregisterTaskDefinition,
        put_cluster_capacity_providers::PutClusterCapacityProviders,
        register_task_definition::RegisterTaskDefinition,
    },
    rules, shapes, target_check,
};
use escale_base::AwsError;
use escale_service::{Created, Cx, InputDraft, Props, Readiness, ResourceType, Resources};
use escale_store::{Image, Row};
use escale_tables::ecs::{Cluster, Outcome, Service};

pub(crate) fn types() -> Resources {
    vec![
        ResourceType::new(
            "AWS::ECS::Cluster",
            &[
                "ClusterName",
                "ClusterSettings",
                "CapacityProviders",
                "DefaultCapacityProviderStrategy",
                "Tags",
            ],
            create_cluster,
            delete_cluster,
        ),
        ResourceType::new(
            "AWS::ECS::ClusterCapacityProviderAssociations",
            &["Cluster", "CapacityProviders", "DefaultCapacityProviderStrategy"],
            create_associations,
            delete_associations,
        ),
        ResourceType::new(
            "AWS::ECS::TaskDefinition",
            &[
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
            create_definition,
            delete_definition,
        ),
        ResourceType::new(
            "AWS::ECS::Service",
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
                "HealthCheckGracePeriodSeconds",
                "SchedulingStrategy",
                "DeploymentController",
                "AvailabilityZoneRebalancing",
                "EnableECSManagedTags",
                "EnableExecuteCommand",
                "PropagateTags",
                "Tags",
            ],
            create_service,
            delete_service,
        )
        .ready(service_ready)
        .gone(service_gone),
    ]
}

fn create_cluster(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let name = props.name_or_generated("ClusterName", 255);
    if rules::cluster(cx.tx, Some(&name)).is_ok() {
        // CreateCluster itself returns an existing cluster, but a stack must not adopt one that it did not create.
        return Err(crate::Error::Invalid(format!("{name} already exists")).into());
    }
    let input = props.input_without::<CreateCluster>(&["ClusterName", "Tags"]);
    let input = input.renamed(&[("ClusterSettings", "settings")]);
    let made = input.with("clusterName", &name).with("tags", &props.tags()?).call(cx)?.cluster;
    Ok(Created::new(name).with("Arn", made.cluster_arn))
}

fn delete_cluster(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    if rules::cluster(cx.tx, Some(&created.physical_id)).is_err() {
        return Ok(());
    }
    created.delete_by::<DeleteCluster>(cx, "cluster")
}

fn create_associations(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    props.input_without::<PutClusterCapacityProviders>(&[]).call(cx)?;
    Ok(Created::new(rules::cluster_name(props.str("Cluster"))))
}

fn delete_associations(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    if cx.tx.get::<Cluster>(&created.physical_id).is_none_or(|c| c.deleted.is_some()) {
        return Ok(());
    }
    let none: Vec<String> = Vec::new();
    let input = InputDraft::<PutClusterCapacityProviders>::new().with("cluster", &created.physical_id);
    input.with("capacityProviders", &none).with("defaultCapacityProviderStrategy", &none).call(cx).map(drop)
}

fn create_definition(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let input = props.input_without::<RegisterTaskDefinition>(&["Family", "Tags"]);
    let input = input.with("family", &props.name_or_generated("Family", 255)).with("tags", &props.tags()?);
    let arn = input.call(cx)?.task_definition.task_definition_arn;
    Ok(Created::new(arn.as_str()).with("TaskDefinitionArn", arn))
}

fn delete_definition(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    if rules::definition(cx.tx, &created.physical_id).is_none() {
        return Ok(());
    }
    created.delete_by::<DeregisterTaskDefinition>(cx, "taskDefinition")
}

fn create_service(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let input = props.input_without::<CreateService>(&["ServiceName", "Tags"]);
    let input =
        input.with("serviceName", &props.name_or_generated("ServiceName", 255)).with("tags", &props.tags()?);
    let made = input.call(cx)?.service;
    Ok(Created::new(made.service_arn.as_str())
        .with("ServiceArn", made.service_arn)
        .with("Name", made.service_name.as_str()))
}

/// `arn:…:service/CLUSTER/NAME`
fn service_of(image: &Image, created: &Created) -> Option<std::sync::Arc<Service>> {
    let (_, key) = created.physical_id.split_once(":service/")?;
    image.get::<Service>(key)
}

fn service_ready(image: &Image, created: &Created) -> Readiness {
    let Some(service) = service_of(image, created) else {
        return Readiness::Failed("the service no longer exists".into());
    };
    let Some(newest) = service.deployments.first() else { return Readiness::ready() };
    let rolled_back = service.deployments.iter().find(|d| d.outcome == Outcome::Failed);
    match (newest.outcome, rolled_back) {
        (_, Some(failed)) => match failure_report::of_deployment(image, &service, failed) {
            Ok(why) => Readiness::Failed(format!(
                "ECS Deployment Circuit Breaker was triggered: service {}: {}{why}",
                service.name, failed.reason
            )),
            // The deployment has failed already. Wait for the end of its tasks, so that the error can name the cause.
            Err(pending) => Readiness::Pending(pending),
        },
        (Outcome::Completed, None) if service.deployments.len() == 1 => Readiness::ready(),
        _ => {
            // The circuit breaker takes minutes to decide, and not every service has one. Report the failing checks before.
            let check =
                target_check::failing_check(image, &service).map(|check| format!("health check {check}"));
            let report = || failure_report::of_deployment(image, &service, newest).unwrap_or_default();
            match check.or_else(|| report().lines().next().map(|line| line.trim_start().to_owned())) {
                Some(why) => Readiness::failing(&why),
                None => Readiness::Pending(format!("{} to reach a steady state", service.key())),
            }
        }
    }
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
            Readiness::Pending(format!("the tasks of {} to stop", service.key()))
        }
        _ => Readiness::ready(),
    }
}
