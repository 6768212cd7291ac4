//! Elastic Load Balancing: application load balancers with HTTP and HTTPS listeners.
//!
//! Operations (`ops/`) write the desired state into the tables of `escale_tables::elbv2`. A load balancer has a network
//! interface in each of its zones, created through EC2's operations. One reconciler (`reconcile/balancer.rs`) turns the rows
//! of a load balancer into one specification for the proxy plane; an observer records the health of its targets.
//!
//! No request passes through this crate: the plane terminates TLS, too. Start at `ops/create_load_balancer.rs`.

mod actions;
mod attributes;
mod certificates;
mod cfn;
mod choices;
mod conditions;
mod error;
mod logs;
mod network;
mod nodes;
mod ops;
mod reconcile;
mod recorded;
mod rules;
mod shapes;
mod sockets;
mod ssl_policies;
mod status;
#[cfg(test)]
mod testing;

use escale_base::{Arn, wire::Value};
use escale_engine::Engine;
use escale_proxy::Proxies;
use escale_service::{Also, Cloud, Config, Entry, Recorded, ResourceType, Service, gives_tags};
use escale_store::{Image, Store, StoreError};
use std::sync::Arc;

pub use error::{Error, TooMany};
pub use sockets::NodeSockets;

/// The service principal for calls of other services.
pub(crate) const PRINCIPAL: &str = "elasticloadbalancing.amazonaws.com";

/// The service, for the wiring.
pub struct Elbv2;

impl Service for Elbv2 {
    fn id(&self) -> &'static str {
        "elbv2"
    }
    fn action_prefix(&self) -> &'static str {
        "elasticloadbalancing"
    }
    fn operations(&self) -> Vec<Entry> {
        ops::all()
    }
    /// The ARNs of resources that the operation creates. They end in `*`, because the id is not known yet.
    fn resources(&self, _image: &Image, config: &Config, operation: &str, input: &Value) -> Vec<String> {
        let kind = match operation {
            "CreateLoadBalancer" => "loadbalancer/app",
            "CreateTargetGroup" => "targetgroup",
            _ => return Vec::new(),
        };
        let name = input.get("Name").and_then(Value::as_str).unwrap_or("*");
        let resource = format!("{kind}/{name}/*");
        vec![Arn::new("elasticloadbalancing", &config.region, &config.account, resource).to_string()]
    }
    fn tagging(&self, operation: &str, input: &Value, resources: &[String]) -> Option<Also> {
        let tagged = operation != "AddTags" && gives_tags(input, "/Tags");
        // A listener's ARN contains its load balancer's, a rule's ARN its listener's. The request names only the parent.
        let below = |from: &str, to: &str| -> Vec<String> {
            resources.iter().map(|arn| format!("{}/*", arn.replacen(from, to, 1))).collect()
        };
        let new = match operation {
            "CreateListener" => below(":loadbalancer/", ":listener/"),
            "CreateRule" => below(":listener/", ":listener-rule/"),
            _ => resources.to_vec(),
        };
        tagged.then(|| {
            Also::tagging("elasticloadbalancing:AddTags", &new)
                .with("elasticloadbalancing:createaction", operation)
        })
    }
    fn recorded(&self) -> &'static [Recorded] {
        recorded::RECORDED
    }
    fn resource_types(&self) -> Vec<ResourceType> {
        cfn::types()
    }
}

/// The plane of load balancers. It may serve what an earlier daemon applied; its sockets come from [`NodeSockets`].
pub struct Planes {
    pub proxies: Arc<dyn Proxies>,
}

/// Starts the reconciler of load balancers.
pub fn start(
    engine: &mut Engine,
    store: &Store,
    cloud: &Arc<Cloud>,
    planes: Planes,
) -> Result<(), StoreError> {
    // Before the reconciler starts: it would take old observations for the state of the plane.
    reconcile::begin_observations(store, cloud.clock.now(), planes.proxies.names())?;
    engine.run(logs::deliver(store.clone(), Arc::clone(cloud), Arc::clone(&planes.proxies)));
    engine.add(reconcile::Balancers::new(store.clone(), cloud.clock.clone(), planes.proxies));
    Ok(())
}
