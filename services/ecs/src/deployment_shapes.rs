//! Service deployments and service revisions in the shapes of the API.

use crate::{
    choices::{HookTarget, LaunchType, MonitorStatus, ServiceDeploymentStatus},
    history, rules, scheduler,
    shapes::{self, DeploymentConfigurationShape, NetworkShape},
    status, strategy,
};
use escale_base::{Timestamp, Wire};
use escale_service::Config;
use escale_store::Image;
use escale_tables::{
    cloudwatch::AlarmName,
    ecs::{
        ALL_TRAFFIC, ContainerName, Deployment, DeploymentId, Ending, HookAction, HookStatus, LifecycleStage,
        LoadBalancer, Pause, PlatformVersion, Service, ServiceDeployment, ServiceKey, ServiceRegistry, Share,
        StrategyItem, Task, TaskDefinition, Traffic,
    },
    elbv2::{RuleArn, TargetGroupArn},
};
use std::sync::Arc;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct BriefShape {
    service_deployment_arn: String,
    service_arn: String,
    cluster_arn: String,
    started_at: Timestamp,
    created_at: Timestamp,
    finished_at: Option<Timestamp>,
    target_service_revision_arn: String,
    status: ServiceDeploymentStatus,
    status_reason: Option<String>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct ServiceDeploymentShape {
    service_deployment_arn: String,
    service_arn: String,
    cluster_arn: String,
    created_at: Timestamp,
    started_at: Timestamp,
    finished_at: Option<Timestamp>,
    stopped_at: Option<Timestamp>,
    updated_at: Timestamp,
    source_service_revisions: Vec<SummaryShape>,
    target_service_revision: SummaryShape,
    status: ServiceDeploymentStatus,
    status_reason: Option<String>,
    lifecycle_stage: Option<LifecycleStage>,
    lifecycle_hook_details: Option<Vec<HookDetailShape>>,
    deployment_configuration: DeploymentConfigurationShape,
    rollback: Option<RollbackShape>,
    deployment_circuit_breaker: BreakerStateShape,
    alarms: AlarmsStateShape,
}

#[derive(Wire)]
#[wire(camelCase)]
struct SummaryShape {
    arn: String,
    requested_task_count: i32,
    running_task_count: i32,
    pending_task_count: i32,
    requested_test_traffic_weight: Option<f64>,
    requested_production_traffic_weight: Option<f64>,
}

#[derive(Wire)]
#[wire(camelCase)]
struct HookDetailShape {
    hook_id: String,
    target_type: HookTarget,
    status: HookStatus,
    expires_at: Timestamp,
    timeout_action: HookAction,
}

#[derive(Wire)]
#[wire(camelCase)]
struct RollbackShape {
    reason: String,
    started_at: Timestamp,
    service_revision_arn: String,
}

#[derive(Wire)]
#[wire(camelCase)]
struct BreakerStateShape {
    status: MonitorStatus,
    failure_count: u32,
    threshold: u32,
}

#[derive(Wire)]
#[wire(camelCase)]
struct AlarmsStateShape {
    status: MonitorStatus,
    alarm_names: Vec<AlarmName>,
    triggered_alarm_names: Vec<AlarmName>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct RevisionShape {
    service_revision_arn: String,
    service_arn: String,
    cluster_arn: String,
    task_definition: String,
    capacity_provider_strategy: Option<Vec<StrategyItem>>,
    launch_type: Option<LaunchType>,
    platform_version: PlatformVersion,
    platform_family: &'static str,
    load_balancers: Vec<LoadBalancer>,
    service_registries: Vec<ServiceRegistry>,
    network_configuration: NetworkShape,
    container_images: Vec<ImageShape>,
    created_at: Timestamp,
    resolved_configuration: Option<ResolvedShape>,
}

/// What the tasks of the revision really use.
#[derive(Wire)]
#[wire(camelCase)]
struct ResolvedShape {
    load_balancers: Vec<ResolvedBalancerShape>,
}

#[derive(Wire)]
#[wire(camelCase)]
struct ResolvedBalancerShape {
    target_group_arn: Option<TargetGroupArn>,
    production_listener_rule: RuleArn,
}

#[derive(Wire)]
#[wire(camelCase)]
struct ImageShape {
    container_name: ContainerName,
    image_digest: Option<String>,
    image: String,
}

/// The cluster's and the service's name in a key.
fn parts(key: &ServiceKey) -> (&str, &str) {
    key.split_once('/').unwrap_or_default()
}

pub(crate) fn arn(config: &Config, row: &ServiceDeployment) -> String {
    rules::arn(config, format!("service-deployment/{}/{}", row.service, row.id))
}

fn revision_arn(config: &Config, key: &str, id: &DeploymentId) -> String {
    rules::arn(config, format!("service-revision/{key}/{}", history::number(id)))
}

fn status(row: &ServiceDeployment) -> ServiceDeploymentStatus {
    match (&row.end, &row.rollback) {
        (None, None) => ServiceDeploymentStatus::InProgress,
        (None, Some(_)) => ServiceDeploymentStatus::RollbackInProgress,
        (Some(end), _) => match end.how {
            Ending::Successful => ServiceDeploymentStatus::Successful,
            Ending::Stopped => ServiceDeploymentStatus::Stopped,
            Ending::RollbackSuccessful => ServiceDeploymentStatus::RollbackSuccessful,
            Ending::RollbackFailed => ServiceDeploymentStatus::RollbackFailed,
        },
    }
}

fn reason(row: &ServiceDeployment) -> Option<String> {
    let of_end = row.end.as_ref().map(|end| end.reason.clone());
    of_end.or_else(|| row.rollback.as_ref().map(|r| r.reason.clone())).filter(|text| !text.is_empty())
}

pub(crate) fn has_status(row: &ServiceDeployment, wanted: &[ServiceDeploymentStatus]) -> bool {
    wanted.is_empty() || wanted.contains(&status(row))
}

pub(crate) fn brief(config: &Config, row: &ServiceDeployment) -> BriefShape {
    let (cluster, _) = parts(&row.service);
    BriefShape {
        service_deployment_arn: arn(config, row),
        service_arn: rules::arn(config, format!("service/{}", row.service)),
        cluster_arn: rules::arn(config, format!("cluster/{cluster}")),
        started_at: row.created,
        created_at: row.created,
        finished_at: row.end.as_ref().map(|end| end.at),
        target_service_revision_arn: revision_arn(config, &row.service, &row.target.id),
        status: status(row),
        status_reason: reason(row),
    }
}

pub(crate) fn full(image: &Image, config: &Config, row: &ServiceDeployment) -> ServiceDeploymentShape {
    let brief = brief(config, row);
    let service = image.get::<Service>(&row.service);
    let summary = |id: &DeploymentId| summary(image, config, row, service.as_deref(), id);
    let ended = row.end.as_ref();
    let traffic = traffic(image, row);
    ServiceDeploymentShape {
        source_service_revisions: row.sources.iter().map(summary).collect(),
        target_service_revision: summary(&row.target.id),
        stopped_at: ended.filter(|end| end.how == Ending::Stopped).map(|end| end.at),
        updated_at: ended.map(|end| end.at).or(row.rollback.as_ref().map(|r| r.at)).unwrap_or(row.created),
        deployment_configuration: shapes::deployment_configuration(row.configuration.clone()),
        lifecycle_stage: traffic.as_ref().map(|traffic| traffic.stage),
        lifecycle_hook_details: traffic.map(|traffic| traffic.pauses.iter().map(hook).collect()),
        rollback: row.rollback.as_ref().map(|r| RollbackShape {
            reason: r.reason.clone(),
            started_at: r.at,
            service_revision_arn: revision_arn(config, &row.service, &r.to),
        }),
        deployment_circuit_breaker: breaker(image, row, service.as_deref()),
        alarms: alarms(row, service.as_deref()),
        service_deployment_arn: brief.service_deployment_arn,
        service_arn: brief.service_arn,
        cluster_arn: brief.cluster_arn,
        created_at: brief.created_at,
        started_at: brief.started_at,
        finished_at: brief.finished_at,
        status: brief.status,
        status_reason: brief.status_reason,
    }
}

fn summary(
    image: &Image,
    config: &Config,
    row: &ServiceDeployment,
    service: Option<&Service>,
    id: &DeploymentId,
) -> SummaryShape {
    let is_of =
        |t: &Arc<Task>| t.service.as_ref().is_some_and(|s| s.key == *row.service && s.deployment == *id);
    let tasks: Vec<Arc<Task>> = image.scan::<Task>().filter(is_of).collect();
    let (running_task_count, pending_task_count) = status::count(image, tasks.iter());
    let is_wanted = service.is_some_and(|s| {
        let is_newest = s.deployments.first().is_some_and(|d| d.id == *id);
        is_newest || keeps_source(s) && row.sources.first() == Some(id)
    });
    let shares = shares(image, row, id);
    SummaryShape {
        arn: revision_arn(config, &row.service, id),
        requested_task_count: service.filter(|_| is_wanted).map_or(0, |s| s.desired as i32),
        running_task_count,
        pending_task_count,
        requested_test_traffic_weight: shares.map(|(test, _)| strategy::percent(test)),
        requested_production_traffic_weight: shares.map(|(_, production)| strategy::percent(production)),
    }
}

/// Whether the revision before keeps its tasks, because the traffic has not shifted for good.
fn keeps_source(service: &Service) -> bool {
    let newest = service.deployments.first().and_then(|newest| newest.traffic.as_ref());
    service.deployments.len() > 1 && newest.is_some_and(|t| t.stage != LifecycleStage::CleanUp)
}

/// The progress of the shift: of the target, or of its rollback while that is in progress.
fn traffic(image: &Image, row: &ServiceDeployment) -> Option<Traffic> {
    if row.end.is_some() {
        return row.traffic.clone();
    }
    let service = image.get::<Service>(&row.service)?;
    service.deployments.first().and_then(|newest| newest.traffic.clone())
}

/// The shares of test and production traffic that a revision should get.
fn shares(image: &Image, row: &ServiceDeployment, id: &DeploymentId) -> Option<(Share, Share)> {
    let traffic = history::traffic(image, row).or_else(|| row.traffic.clone())?;
    let of_target = if row.rollback.is_some() { (0, 0) } else { (traffic.test, traffic.production) };
    let is_source = row.sources.first() == Some(id);
    Some(match () {
        () if *id == row.target.id => of_target,
        () if is_source => (ALL_TRAFFIC - of_target.0, ALL_TRAFFIC - of_target.1),
        () => (0, 0),
    })
}

fn hook(pause: &Pause) -> HookDetailShape {
    HookDetailShape {
        hook_id: pause.id.clone(),
        target_type: HookTarget::Pause,
        status: pause.status,
        expires_at: pause.expires,
        timeout_action: pause.action,
    }
}

fn breaker(image: &Image, row: &ServiceDeployment, service: Option<&Service>) -> BreakerStateShape {
    let live = service.and_then(|s| s.deployments.iter().find(|d| d.id == row.target.id));
    let failure_count = match (&row.end, live) {
        (Some(end), _) => end.failed_tasks,
        (None, Some(live)) => crate::reconcile::failures(image, &row.service, live).0,
        (None, None) => 0,
    };
    let threshold = scheduler::threshold(row.configuration.threshold, service.map_or(0, |s| s.desired));
    let has_tripped = failure_count >= threshold && status(row) != ServiceDeploymentStatus::Successful;
    let status = monitor(row, row.configuration.circuit_breaker, has_tripped);
    BreakerStateShape { status, failure_count, threshold }
}

fn alarms(row: &ServiceDeployment, service: Option<&Service>) -> AlarmsStateShape {
    let configured = row.configuration.alarms.as_ref().filter(|alarms| alarms.enable);
    let failed = service.and_then(|s| s.last_failed.as_ref()).filter(|failed| failed.id == row.target.id);
    let triggered: Vec<AlarmName> = failed.and_then(|failed| failed.alarm.clone()).into_iter().collect();
    AlarmsStateShape {
        status: monitor(row, configured.is_some(), !triggered.is_empty()),
        alarm_names: configured.map_or_else(Vec::new, |alarms| alarms.alarm_names.clone()),
        triggered_alarm_names: triggered,
    }
}

fn monitor(row: &ServiceDeployment, is_enabled: bool, is_triggered: bool) -> MonitorStatus {
    match () {
        () if !is_enabled => MonitorStatus::Disabled,
        () if is_triggered => MonitorStatus::Triggered,
        () if row.end.is_some() => MonitorStatus::MonitoringComplete,
        () => MonitorStatus::Monitoring,
    }
}

pub(crate) fn revision(image: &Image, config: &Config, key: &ServiceKey, row: &Deployment) -> RevisionShape {
    let (cluster, _) = parts(key);
    let (launch_type, capacity_provider_strategy) = shapes::launch(&row.launch);
    let definition = image.get::<TaskDefinition>(&TaskDefinition::key_of(&row.family, row.revision));
    let containers = definition.iter().flat_map(|d| &d.containers).map(|c| ImageShape {
        container_name: c.name.clone(),
        image_digest: row.images.get(c.name.as_str()).cloned(),
        image: c.image.clone(),
    });
    RevisionShape {
        service_revision_arn: revision_arn(config, key, &row.id),
        service_arn: rules::arn(config, format!("service/{key}")),
        cluster_arn: rules::arn(config, format!("cluster/{cluster}")),
        task_definition: rules::definition_arn(config, &row.family, row.revision),
        capacity_provider_strategy,
        launch_type,
        platform_version: row.platform_version.resolved(),
        platform_family: "Linux",
        load_balancers: row.configured_load_balancers(),
        service_registries: row.service_registries.clone(),
        network_configuration: NetworkShape { awsvpc_configuration: Some(row.network.clone()) },
        container_images: containers.collect(),
        created_at: row.created,
        resolved_configuration: resolved(row),
    }
}

fn resolved(row: &Deployment) -> Option<ResolvedShape> {
    let balancer = |b: &LoadBalancer| {
        let advanced = b.advanced_configuration.as_ref()?;
        Some(ResolvedBalancerShape {
            target_group_arn: b.target_group_arn.clone(),
            production_listener_rule: advanced.production_listener_rule.clone(),
        })
    };
    let load_balancers: Vec<_> = row.load_balancers.iter().filter_map(balancer).collect();
    (!load_balancers.is_empty()).then_some(ResolvedShape { load_balancers })
}

/// The service's key and the last part of an ARN of this kind, `service-deployment` or `service-revision`.
pub(crate) fn parse(kind: &str, arn: &str) -> Option<(ServiceKey, String)> {
    let (_, path) = arn.split_once(&format!(":{kind}/"))?;
    let (key, id) = path.rsplit_once('/')?;
    (key.matches('/').count() == 1).then(|| (key.into(), id.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_have_a_cluster_a_service_and_an_id() {
        let arn = "arn:aws:ecs:eu-west-3:000000000000:service-deployment/shop/web/0123";
        assert_eq!(parse("service-deployment", arn), Some(("shop/web".into(), "0123".to_owned())));
        assert_eq!(parse("service-revision", arn), None);
        assert_eq!(parse("service-deployment", "arn:aws:ecs:::service-deployment/web/0123"), None);
    }
}
