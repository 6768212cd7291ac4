//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_DiscoverInstances.html>

use crate::{
    Error,
    choices::{HealthStatus, HealthStatusFilter},
    rules, status,
};
use escale_base::{AwsError, Wire};
use escale_service::{Cx, Operation};
use escale_store::Image;
use escale_tables::servicediscovery::{
    DiscoveryService, DiscoveryServiceName, Instance, InstanceId, Namespace, NamespaceName,
};
use std::{collections::BTreeMap, sync::Arc};

pub(crate) struct DiscoverInstances;

/// AWS's default for MaxResults.
const RESULTS: usize = 100;

#[derive(Wire)]
pub(crate) struct Input {
    namespace_name: NamespaceName,
    service_name: DiscoveryServiceName,
    max_results: Option<usize>,
    query_parameters: BTreeMap<String, String>,
    optional_parameters: BTreeMap<String, String>,
    health_status: Option<HealthStatusFilter>,
    owner_account: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    instances: Vec<Summary>,
    instances_revision: i64,
}

#[derive(Wire)]
struct Summary {
    instance_id: InstanceId,
    namespace_name: NamespaceName,
    service_name: DiscoveryServiceName,
    health_status: HealthStatus,
    attributes: BTreeMap<String, String>,
}

impl Operation for DiscoverInstances {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        check_owner(cx, input.owner_account.as_deref())?;
        let service = named(cx.tx, &input.namespace_name, &input.service_name)?;
        let has = |instance: &Instance, wanted: &BTreeMap<String, String>| {
            wanted.iter().all(|(key, value)| instance.attributes.get(key) == Some(value))
        };
        let mut found = rules::instances(cx.tx, &service.id);
        found.retain(|instance| has(instance, &input.query_parameters));
        if found.iter().any(|instance| has(instance, &input.optional_parameters)) {
            found.retain(|instance| has(instance, &input.optional_parameters));
        }
        let is_any_healthy = found.iter().any(|instance| instance.is_healthy());
        let filter = input.health_status.unwrap_or(HealthStatusFilter::HealthyOrElseAll);
        found.retain(|instance| match filter {
            HealthStatusFilter::All => true,
            HealthStatusFilter::Healthy => instance.is_healthy(),
            HealthStatusFilter::Unhealthy => !instance.is_healthy(),
            HealthStatusFilter::HealthyOrElseAll => !is_any_healthy || instance.is_healthy(),
        });
        found.truncate(input.max_results.unwrap_or(RESULTS));
        let summary = |instance: &Arc<Instance>| Summary {
            instance_id: instance.id.clone(),
            namespace_name: input.namespace_name.clone(),
            service_name: service.name.clone(),
            health_status: status::health(&service, instance),
            attributes: instance.attributes.clone(),
        };
        Ok(Output { instances: found.iter().map(summary).collect(), instances_revision: service.revision })
    }
}

/// The service of a request by the names of the namespace and the service. Namespaces in different VPCs may have the same name.
pub(crate) fn named(
    image: &Image,
    namespace: &NamespaceName,
    service: &DiscoveryServiceName,
) -> Result<Arc<DiscoveryService>, Error> {
    let namespaces = image.scan::<Namespace>().filter(|n| n.name.eq_ignore_ascii_case(namespace));
    let mut namespaces = namespaces.peekable();
    if namespaces.peek().is_none() {
        return Err(Error::NoNamespace(namespace.to_string()));
    }
    let found =
        namespaces.find_map(|n| rules::services_of(image, &n).find(|s| s.name.eq_ignore_ascii_case(service)));
    found.ok_or_else(|| Error::NoService(service.to_string()))
}

pub(crate) fn check_owner(cx: &Cx<'_>, owner: Option<&str>) -> Result<(), Error> {
    match owner.filter(|owner| *owner != cx.config.account) {
        None => Ok(()),
        Some(other) => Err(AwsError::not_supported(format_args!("The OwnerAccount {other}"))
            .hint("There is one account.")
            .into()),
    }
}
