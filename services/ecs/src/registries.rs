//! Service registries: a service's healthy tasks are instances of a service of Cloud Map.
//!
//! Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-discovery.html>

use crate::{Error, calls::ECS, status::Known};
use escale_base::{AwsError, already_gone};
use escale_requests::servicediscovery::{DeregisterInstance, RegisterInstance};
use escale_service::Cx;
use escale_store::Image;
use escale_tables::{
    ecs::{Health, RegistryArn, Service, ServiceRegistry, Task, TaskDefinition, TaskProgress},
    servicediscovery::{DiscoveryService, DiscoveryServiceId, DnsRecordType},
};
use std::{collections::BTreeMap, sync::Arc};

/// Checks the registries of a request.
pub(crate) fn check(
    image: &Image,
    registries: &[ServiceRegistry],
    definition: &TaskDefinition,
) -> Result<(), Error> {
    let invalid = |why: String| Err(Error::Invalid(why));
    let registry = match registries {
        [] => return Ok(()),
        [only] => only,
        _ => return invalid("service registries list can have at most 1 element.".into()),
    };
    let Some(found) = find(image, &registry.registry_arn) else {
        return invalid(format!("No such service registry: {}.", registry.registry_arn));
    };
    for kind in [DnsRecordType::Aaaa, DnsRecordType::Cname] {
        if found.has_record(kind) {
            return Err(AwsError::not_supported(format_args!(
                "A service registry with {kind} records: {}",
                registry.registry_arn
            ))
            .hint("A task has an IPv4 address. Use A or SRV records.")
            .into());
        }
    }
    match (&registry.container_name, registry.container_port, registry.port) {
        (None, None, None) if found.has_record(DnsRecordType::Srv) => invalid(
            "When the service registry has SRV records, containerName and containerPort, or port, must be specified.".into(),
        ),
        (None, None, _) => Ok(()),
        (Some(_), Some(_), Some(_)) => {
            invalid("Specify either containerName and containerPort, or port, in serviceRegistries.".into())
        }
        (Some(name), Some(port), None) => {
            let container = definition.containers.iter().find(|c| c.name == *name);
            if container.is_some_and(|c| c.port_mappings.iter().any(|p| p.container_port == port)) {
                return Ok(());
            }
            invalid(format!("The container {name} did not have a container port {port} defined."))
        }
        _ => invalid("containerName and containerPort of serviceRegistries must be specified together.".into()),
    }
}

fn find(image: &Image, arn: &RegistryArn) -> Option<Arc<DiscoveryService>> {
    let (_, id) = arn.split_once(":service/")?;
    image.get::<DiscoveryService>(id)
}

/// The registries of a task's deployment.
pub(crate) fn of(image: &Image, task: &Task) -> Vec<ServiceRegistry> {
    let of = task.service.as_ref();
    let service = of.and_then(|of| Some((image.get::<Service>(&of.key)?, &of.deployment)));
    service.map_or_else(Vec::new, |(service, deployment)| service.service_registries_of(deployment).to_vec())
}

/// What has to change for a running task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Announcement {
    Register,
    Deregister,
}

/// A task without a health check counts as healthy. While the health is not known, nothing changes.
pub(crate) fn due(known: &Known) -> Option<Announcement> {
    let is_announced = !known.progress.announced.is_empty();
    let is_healthy = match known.health() {
        Health::Healthy => true,
        Health::Unhealthy => false,
        Health::Unknown if known.is_checked() => return None,
        Health::Unknown => true,
    };
    match (known.has_registry && is_healthy, is_announced) {
        (true, false) => Some(Announcement::Register),
        (false, true) => Some(Announcement::Deregister),
        _ => None,
    }
}

/// Registers the task. The caller's transaction also notes it in the progress: both take effect, or none.
pub(crate) fn register(cx: &mut Cx<'_>, task: &Task, progress: &mut TaskProgress) -> Result<(), AwsError> {
    let mut announced = Vec::new();
    for registry in of(cx.tx, task) {
        let missing = || {
            Error::Invalid(format!("The service registry {} does not exist any more.", registry.registry_arn))
        };
        let service_id = find(cx.tx, &registry.registry_arn).ok_or_else(missing)?.id.clone();
        let attributes = attributes(cx, task, &registry);
        let instance_id = task.id.as_str().into();
        cx.call_as(ECS, RegisterInstance { service_id: service_id.clone(), instance_id, attributes })?;
        announced.push(service_id);
    }
    progress.announced = announced;
    Ok(())
}

/// Deregisters the task from where it was registered, whatever the service's registries are now.
pub(crate) fn deregister(cx: &mut Cx<'_>, task: &Task, progress: &mut TaskProgress) -> Result<(), AwsError> {
    for service_id in std::mem::take::<Vec<DiscoveryServiceId>>(&mut progress.announced) {
        let request = DeregisterInstance { service_id, instance_id: task.id.as_str().into() };
        already_gone(cx.call_as(ECS, request))?;
    }
    Ok(())
}

/// The attributes that ECS gives an instance on AWS.
fn attributes(cx: &Cx<'_>, task: &Task, registry: &ServiceRegistry) -> BTreeMap<String, String> {
    let service = task.service.as_ref().and_then(|of| of.key.rsplit('/').next()).unwrap_or_default();
    let port = registry.port.or(registry.container_port).map(|port| port.to_string());
    let fixed = [
        ("AWS_INSTANCE_IPV4", task.private_ip.to_string()),
        ("AVAILABILITY_ZONE", task.zone.to_string()),
        ("REGION", cx.config.region.clone()),
        ("ECS_CLUSTER_NAME", task.cluster.to_string()),
        ("ECS_SERVICE_NAME", service.to_owned()),
        ("ECS_TASK_DEFINITION_FAMILY", task.family.to_string()),
    ];
    let all = fixed.into_iter().chain(port.map(|port| ("AWS_INSTANCE_PORT", port)));
    all.map(|(key, value)| (key.to_owned(), value)).collect()
}
