//! Instances of services.

use super::{CreatorRequestId, DiscoveryServiceId};
use crate::row;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

escale_base::name! {
    /// The client's name of an instance, unique in its service.
    InstanceId;
}

escale_base::choice! { pub enum CustomHealthStatus { Healthy = "HEALTHY", Unhealthy = "UNHEALTHY" } }

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    pub service: DiscoveryServiceId,
    pub id: InstanceId,
    pub creator_request_id: Option<CreatorRequestId>,
    /// Those of the client and those with a meaning, such as `AWS_INSTANCE_IPV4`.
    pub attributes: BTreeMap<String, String>,
    /// As the client reported it last; `None` if the service has no custom health.
    pub health: Option<CustomHealthStatus>,
}
row!(Instance, "servicediscovery_instance", |r| Instance::key_of(&r.service, &r.id));

impl Instance {
    pub fn key_of(service: &str, id: &str) -> String {
        format!("{service}/{id}")
    }

    pub fn is_healthy(&self) -> bool {
        self.health != Some(CustomHealthStatus::Unhealthy)
    }
}
