//! CloudFormation: clusters, their capacity providers, task definitions, services.

mod service;
#[cfg(test)]
mod tests;

use crate::{
    Error,
    choices::{ClusterField, ClusterStatus, TaskDefinitionField, TaskDefinitionStatus},
    ops::{
        create_cluster::CreateCluster, delete_cluster::DeleteCluster,
        deregister_task_definition::DeregisterTaskDefinition, describe_clusters::DescribeClusters,
        describe_task_definition::DescribeTaskDefinition,
        put_cluster_capacity_providers::PutClusterCapacityProviders,
        register_task_definition::RegisterTaskDefinition, tag_resource::TagResource,
        untag_resource::UntagResource, update_cluster_settings::UpdateClusterSettings,
    },
    rules, shapes,
};
use escale_base::{
    AwsError, found,
    wire::{Map, Value},
};
use escale_service::{Created, Cx, InputDraft, Props, ResourceType, Resources, Update, properties_of};
use escale_tables::ecs::Cluster;

const CLUSTER: &str = "AWS::ECS::Cluster";
const ASSOCIATIONS: &str = "AWS::ECS::ClusterCapacityProviderAssociations";
const DEFINITION: &str = "AWS::ECS::TaskDefinition";
/// Properties whose names differ from the API's.
const RENAMED: &[(&str, &str)] = &[("ClusterSettings", "settings")];

pub(crate) fn types() -> Resources {
    vec![
        ResourceType::new(
            CLUSTER,
            &[
                "ClusterName",
                "ClusterSettings",
                "CapacityProviders",
                "DefaultCapacityProviderStrategy",
                "Tags",
            ],
            create_cluster,
            delete_cluster,
        )
        .update(update_cluster)
        .read(read_cluster)
        .adopt(|cx, name, _| {
            let cluster = describe_cluster(cx, name)?.ok_or(Error::NoCluster)?;
            Ok(Created::new(name).with("Arn", cluster.cluster_arn))
        }),
        ResourceType::new(
            ASSOCIATIONS,
            &["Cluster", "CapacityProviders", "DefaultCapacityProviderStrategy"],
            create_associations,
            delete_associations,
        )
        .update(update_associations)
        .read(read_associations),
        ResourceType::new(
            DEFINITION,
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
        )
        .update(update_definition)
        .read(read_definition)
        .normalize(normalize_definition),
        service::service_type(),
    ]
}

fn create_cluster(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let name = props.name_or_generated("ClusterName", 255);
    if rules::cluster(cx.tx, Some(&name)).is_ok() {
        // CreateCluster itself returns an existing cluster, but a stack must not adopt one that it did not create.
        return Err(Error::Invalid(format!("{name} already exists")).into());
    }
    let input = props.input_without::<CreateCluster>(&["ClusterName", "Tags"]);
    let input = input.renamed(RENAMED);
    let made = input.with("clusterName", &name).with("tags", &props.tags()?).call(cx)?.cluster;
    Ok(Created::new(name).with("Arn", made.cluster_arn))
}

fn update_cluster(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let (created, after) = (update.created, update.after);
    if update.changed("ClusterSettings") {
        let input = after.input::<UpdateClusterSettings>(&["ClusterSettings"]).renamed(RENAMED);
        let input = match after.get("ClusterSettings").and_then(Value::as_array) {
            Some(settings) if !settings.is_empty() => input,
            _ => input.with("settings", &rules::settings(cx.tx)),
        };
        input.with("cluster", &created.physical_id).call(cx)?;
    }
    if update.any_changed(&["CapacityProviders", "DefaultCapacityProviderStrategy"]) {
        put_providers(cx, after, &created.physical_id)?;
    }
    change_tags(cx, update, created.attribute("Arn")?)?;
    Ok(created.clone())
}

fn read_cluster(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let Some(cluster) = describe_cluster(cx, &created.physical_id)? else { return Ok(None) };
    Ok(Some(properties_of(CLUSTER, &cluster, RENAMED)))
}

fn describe_cluster(cx: &mut Cx<'_>, name: &str) -> Result<Option<shapes::ClusterShape>, AwsError> {
    let input = InputDraft::<DescribeClusters>::new().with("clusters", &vec![name.to_owned()]);
    let found = input.with("include", &vec![ClusterField::Tags, ClusterField::Settings]).call(cx)?.clusters;
    Ok(found.into_iter().find(|cluster| cluster.status == ClusterStatus::Active))
}

/// A list that the template does not have is empty.
fn put_providers(cx: &mut Cx<'_>, props: &Props<'_>, cluster: &String) -> Result<(), AwsError> {
    let lists = ["CapacityProviders", "DefaultCapacityProviderStrategy"];
    let input = props.input::<PutClusterCapacityProviders>(&lists);
    input.with("cluster", cluster).call(cx).map(drop)
}

/// Sets and removes the tags that an update changes.
fn change_tags(cx: &mut Cx<'_>, update: &Update<'_>, arn: &str) -> Result<(), AwsError> {
    let (set, removed) = update.tags()?;
    if !removed.is_empty() {
        let input = InputDraft::<UntagResource>::new().with("resourceArn", &arn.to_owned());
        input.with("tagKeys", &removed).call(cx)?;
    }
    if !set.is_empty() {
        let input = InputDraft::<TagResource>::new().with("resourceArn", &arn.to_owned());
        input.with("tags", &set).call(cx)?;
    }
    Ok(())
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

fn update_associations(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    put_providers(cx, update.after, &update.created.physical_id)?;
    Ok(update.created.clone())
}

/// A cluster without providers has no associations.
fn read_associations(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let cluster = describe_cluster(cx, &created.physical_id)?;
    let Some(cluster) = cluster.filter(|cluster| !cluster.capacity_providers.is_empty()) else {
        return Ok(None);
    };
    Ok(Some(properties_of(ASSOCIATIONS, &cluster, &[("Cluster", "clusterName")])))
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

/// Every other change is a new revision.
fn update_definition(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    change_tags(cx, update, &update.created.physical_id)?;
    Ok(update.created.clone())
}

/// A flag of a container that is only accepted as `false` is not returned.
fn normalize_definition(definition: &mut Map<String, Value>) {
    let containers = definition.get_mut("ContainerDefinitions").and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten().filter_map(Value::as_object_mut) {
        container.retain(|name, value| {
            !(["Privileged", "Interactive", "PseudoTerminal"].contains(&name.as_str())
                && (*value == false || *value == "false"))
        });
    }
}

fn read_definition(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let input = InputDraft::<DescribeTaskDefinition>::new().with("taskDefinition", &created.physical_id);
    let answer = found(input.with("include", &vec![TaskDefinitionField::Tags]).call(cx))?;
    // Deletion from a stack only deregisters a definition.
    let answer = answer.filter(|answer| answer.task_definition.status == TaskDefinitionStatus::Active);
    Ok(answer.map(|answer| {
        let mut properties = properties_of(DEFINITION, &answer.task_definition, &[]);
        properties.extend(properties_of(DEFINITION, &answer, &[]));
        properties
    }))
}

fn delete_definition(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    if rules::definition(cx.tx, &created.physical_id).is_none() {
        return Ok(());
    }
    created.delete_by::<DeregisterTaskDefinition>(cx, "taskDefinition")
}
