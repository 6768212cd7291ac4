//! EC2's network: VPCs, subnets, routes, gateways, security groups, interfaces. There are no instances.
//!
//! Operations (`ops/`) write wishes into the tables of `escale_tables::ec2`. One reconciler (`reconcile/vpc.rs`) turns all
//! rows of a VPC into one specification for the network plane and records which interfaces are up. Nothing here touches a
//! packet.
//!
//! Other services create their interfaces through `CreateNetworkInterface`, as on AWS. Start at `ops/create_vpc.rs`.

mod acls;
mod addresses;
mod arns;
mod cfn;
mod choices;
mod default_vpc;
mod dhcp;
mod error;
mod filters;
mod flow_logs;
mod initial;
mod ipv6;
mod ops;
mod peerings;
mod permissions;
mod prefix_lists;
mod reconcile;
mod recorded;
mod rules;
mod shapes;
mod status;
mod tagged;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use escale_base::wire::Value;
use escale_service::{Also, Config, Entry, Recorded, ResourceType, Service, gives_tags};
use escale_store::Image;

pub use error::Error;
pub use reconcile::{Planes, start};

/// The service, for the wiring.
pub struct Ec2;

impl Service for Ec2 {
    fn id(&self) -> &'static str {
        "ec2"
    }
    fn operations(&self) -> Vec<Entry> {
        ops::all()
    }
    fn resources(&self, image: &Image, config: &Config, operation: &str, input: &Value) -> Vec<String> {
        arns::of(image, config, operation, input)
    }
    fn tagging(&self, operation: &str, input: &Value, resources: &[String]) -> Option<Also> {
        let specifications = input.get("TagSpecifications").and_then(Value::as_array).into_iter().flatten();
        // Tags in a create request also require the right to call CreateTags.
        let tagged = specifications.filter(|s| gives_tags(s, "/Tags")).count() > 0;
        tagged.then(|| Also::tagging("ec2:CreateTags", resources).with("ec2:createaction", operation))
    }
    fn recorded(&self) -> &'static [Recorded] {
        recorded::RECORDED
    }
    fn resource_types(&self) -> Vec<ResourceType> {
        cfn::resources()
    }
}
