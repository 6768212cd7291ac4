//! The operations of ECS.

escale_service::operations! { "ecs";
    ContinueServiceDeployment => continue_service_deployment,
    CreateCluster => create_cluster,
    CreateService => create_service,
    DeleteCluster => delete_cluster,
    DeleteService => delete_service,
    DeleteTaskDefinitions => delete_task_definitions,
    DeregisterTaskDefinition => deregister_task_definition,
    DescribeCapacityProviders => describe_capacity_providers,
    DescribeClusters => describe_clusters,
    DescribeServiceDeployments => describe_service_deployments,
    DescribeServiceRevisions => describe_service_revisions,
    DescribeServices => describe_services,
    DescribeTaskDefinition => describe_task_definition,
    DescribeTasks => describe_tasks,
    GetTaskProtection => get_task_protection,
    ListAccountSettings => list_account_settings,
    ListClusters => list_clusters,
    ListServiceDeployments => list_service_deployments,
    ListServices => list_services,
    ListTagsForResource => list_tags_for_resource,
    ListTaskDefinitionFamilies => list_task_definition_families,
    ListTaskDefinitions => list_task_definitions,
    ListTasks => list_tasks,
    PutAccountSetting => put_account_setting,
    PutClusterCapacityProviders => put_cluster_capacity_providers,
    RegisterTaskDefinition => register_task_definition,
    RunTask => run_task,
    StopServiceDeployment => stop_service_deployment,
    StopTask => stop_task,
    TagResource => tag_resource,
    UntagResource => untag_resource,
    UpdateCluster => update_cluster,
    UpdateClusterSettings => update_cluster_settings,
    UpdateService => update_service,
    UpdateTaskProtection => update_task_protection,
}

use crate::{Error, choices::LaunchType, rules};
use escale_base::AwsError;
use escale_tables::ecs::{Cluster, StrategyItem};

/// The strategy of a launch. It is empty for the launch type FARGATE. Without a type and a strategy, it is the cluster's default.
pub(crate) fn strategy(
    launch_type: Option<LaunchType>,
    given: Vec<rules::StrategyInput>,
    cluster: &Cluster,
) -> Result<Vec<StrategyItem>, Error> {
    match launch_type {
        Some(_) if !given.is_empty() => Err(Error::Invalid(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again."
                .into(),
        )),
        Some(LaunchType::Fargate) => Ok(Vec::new()),
        Some(other) => Err(AwsError::not_supported(format_args!("The launch type {other}"))
                .hint("Use FARGATE.")
                .into()),
        None if given.is_empty() => Ok(cluster.default_strategy.clone()),
        None => rules::strategy(&given),
    }
}
