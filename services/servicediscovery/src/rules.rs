//! Lookups, ARNs and checks that operations share.

use crate::Error;
use escale_base::{Tag, limits::discovery as limits};
use escale_service::Cx;
use escale_store::{Image, Row};
use escale_tables::{
    route53::ChangeId,
    servicediscovery::{
        DiscoveryService, DiscoveryServiceId, Instance, InstanceId, Namespace, Operation, OperationTarget,
        OperationType,
    },
};
use std::sync::Arc;

/// The principal under which this service calls Route 53.
pub(crate) const PRINCIPAL: &str = "servicediscovery.amazonaws.com";

/// The id of an id or an ARN.
pub(crate) fn id_of(given: &str) -> &str {
    if given.starts_with("arn:") { given.rsplit('/').next().unwrap_or(given) } else { given }
}

pub(crate) fn namespace_arn(cx: &Cx<'_>, given: &str) -> String {
    cx.arn("servicediscovery", format!("namespace/{}", id_of(given))).to_string()
}

pub(crate) fn service_arn(cx: &Cx<'_>, given: &str) -> String {
    cx.arn("servicediscovery", format!("service/{}", id_of(given))).to_string()
}

pub(crate) fn namespace(image: &Image, given: &str) -> Result<Arc<Namespace>, Error> {
    image.get::<Namespace>(id_of(given)).ok_or_else(|| Error::NoNamespace(given.to_owned()))
}

pub(crate) fn service(image: &Image, given: &str) -> Result<Arc<DiscoveryService>, Error> {
    image.get::<DiscoveryService>(id_of(given)).ok_or_else(|| Error::NoService(given.to_owned()))
}

pub(crate) fn instance(
    image: &Image,
    service: &DiscoveryServiceId,
    id: &InstanceId,
) -> Result<Arc<Instance>, Error> {
    let found = image.get::<Instance>(&Instance::key_of(service, id));
    found.ok_or_else(|| Error::NoInstance(id.clone(), service.clone()))
}

pub(crate) fn instances(image: &Image, service: &DiscoveryServiceId) -> Vec<Arc<Instance>> {
    image.prefix::<Instance>(&format!("{service}/")).collect()
}

pub(crate) fn services_of<'a>(
    image: &'a Image,
    namespace: &'a Namespace,
) -> impl Iterator<Item = Arc<DiscoveryService>> + 'a {
    image.scan::<DiscoveryService>().filter(|service| service.namespace == namespace.id)
}

/// A namespace or a service, by its ARN, for the operations on tags.
pub(crate) enum Tagged {
    Namespace(Namespace),
    Service(DiscoveryService),
}

pub(crate) fn tagged(image: &Image, arn: &str) -> Result<Tagged, Error> {
    let missing = || Error::NoResource(arn.to_owned());
    let id = id_of(arn);
    if arn.contains(":namespace/") {
        let row = image.get::<Namespace>(id).ok_or_else(missing)?;
        Ok(Tagged::Namespace(Namespace::clone(&row)))
    } else if arn.contains(":service/") {
        let row = image.get::<DiscoveryService>(id).ok_or_else(missing)?;
        Ok(Tagged::Service(DiscoveryService::clone(&row)))
    } else {
        Err(missing())
    }
}

impl Tagged {
    pub(crate) fn tags(&self) -> &[Tag] {
        match self {
            Tagged::Namespace(row) => &row.tags,
            Tagged::Service(row) => &row.tags,
        }
    }

    /// Changes the tags and writes the row.
    pub(crate) fn change(self, cx: &mut Cx<'_>, change: impl FnOnce(&mut Vec<Tag>)) {
        match self {
            Tagged::Namespace(mut row) => {
                change(&mut row.tags);
                cx.tx.put(row);
            }
            Tagged::Service(mut row) => {
                change(&mut row.tags);
                cx.tx.put(row);
            }
        }
    }
}

/// Writes an operation for GetOperation, and purges the oldest ones.
pub(crate) fn record(
    cx: &mut Cx<'_>,
    kind: OperationType,
    target: OperationTarget,
    change: Option<ChangeId>,
) -> Operation {
    let oldest = cx.now.plus_ms(-limits::OPERATIONS_KEPT_MS);
    let mut all: Vec<_> = cx.tx.scan::<Operation>().map(|o| (o.created, o.key())).collect();
    all.sort();
    let surplus = (all.len() + 1).saturating_sub(limits::OPERATIONS_KEPT);
    let purged = all.into_iter().enumerate().filter(|(i, (created, _))| *i < surplus || *created < oldest);
    let purged: Vec<String> = purged.map(|(_, (_, key))| key).collect();
    for key in purged {
        cx.tx.delete::<Operation>(&key);
    }
    let operation = Operation { id: Operation::random_id(), kind, target, change, created: cx.now };
    cx.tx.put(operation.clone());
    operation
}
