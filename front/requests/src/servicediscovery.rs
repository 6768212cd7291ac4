//! Cloud Map: <https://docs.aws.amazon.com/cloud-map/latest/api/API_Operations.html>

use escale_base::Wire;
use escale_tables::servicediscovery::{DiscoveryServiceId, InstanceId};
use std::collections::BTreeMap;

crate::requests! { "servicediscovery";
    DeregisterInstance => (),
    RegisterInstance => (),
}

#[derive(Clone, Debug, Wire)]
pub struct RegisterInstance {
    pub service_id: DiscoveryServiceId,
    pub instance_id: InstanceId,
    pub attributes: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Wire)]
pub struct DeregisterInstance {
    pub service_id: DiscoveryServiceId,
    pub instance_id: InstanceId,
}
