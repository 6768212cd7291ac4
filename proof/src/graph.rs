//! The architecture of a survey: networks with their zones and tiers, what runs in them, and who talks to whom on which port.
//!
//! Identifiers are logical ids; an object outside of the template is named by the parameter or export that leads to it.

mod acls;
mod edge;
mod flows;
mod members;
mod network;
pub mod security;

pub use edge::{Distribution, DnsZone, Origin};
pub use flows::{Flow, Means};
pub use members::{Balancer, Bucket, Database, Listener, Nat, Service, Task};
pub(crate) use network::ANY_ZONE;
pub use network::{Subnet, Tier, Vpc};

use crate::survey::{Survey, Unknown, references};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The other end of a flow that is no resource.
pub const INTERNET: &str = "the Internet";

#[derive(Clone, Debug, Default, Serialize)]
pub struct Architecture {
    pub name: String,
    pub region: String,
    pub vpcs: Vec<Vpc>,
    pub balancers: Vec<Balancer>,
    pub services: Vec<Service>,
    pub databases: Vec<Database>,
    pub nats: Vec<Nat>,
    pub distributions: Vec<Distribution>,
    pub dns_zones: Vec<DnsZone>,
    pub buckets: Vec<Bucket>,
    /// Image repositories: logical ids, or the names in image references.
    pub repositories: Vec<String>,
    pub secrets: Vec<String>,
    pub flows: Vec<Flow>,
    /// Resources that the diagram does not draw: type and number.
    pub not_drawn: BTreeMap<String, usize>,
    pub unknown: Vec<Unknown>,
    /// Whether tasks and servers are where they run, instead of where they would be started.
    pub is_live: bool,
}

/// Types that the architecture has, as objects or as their connections.
const READ: &[&str] = &[
    "AWS::CloudFront::Distribution",
    "AWS::EC2::EIP",
    "AWS::EC2::InternetGateway",
    "AWS::EC2::NatGateway",
    "AWS::EC2::NetworkAcl",
    "AWS::EC2::NetworkAclEntry",
    "AWS::EC2::Route",
    "AWS::EC2::RouteTable",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::EC2::Subnet",
    "AWS::EC2::SubnetNetworkAclAssociation",
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::EC2::VPC",
    "AWS::EC2::VPCEndpoint",
    "AWS::EC2::VPCGatewayAttachment",
    "AWS::ECR::Repository",
    "AWS::ECS::Cluster",
    "AWS::ECS::Service",
    "AWS::ECS::TaskDefinition",
    "AWS::ElasticLoadBalancingV2::Listener",
    "AWS::ElasticLoadBalancingV2::ListenerRule",
    "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "AWS::ElasticLoadBalancingV2::TargetGroup",
    "AWS::RDS::DBInstance",
    "AWS::RDS::DBSubnetGroup",
    "AWS::Route53::HostedZone",
    "AWS::Route53::RecordSet",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
];

impl Architecture {
    pub fn of(survey: &Survey) -> Architecture {
        let mut made = Architecture {
            name: survey.stack.clone(),
            region: survey.region.clone(),
            unknown: survey.unknown.clone(),
            ..Architecture::default()
        };
        members::read(survey, &mut made);
        network::read(survey, &mut made);
        edge::read(survey, &mut made);
        made.flows = flows::of(survey, &mut made);
        for resource in survey.resources.values().filter(|r| !READ.contains(&r.kind.as_str())) {
            *made.not_drawn.entry(resource.kind.clone()).or_default() += 1;
        }
        made.unknown.sort();
        made.unknown.dedup();
        made
    }

    pub fn subnet(&self, id: &str) -> Option<&Subnet> {
        self.vpcs.iter().flat_map(|vpc| &vpc.subnets).find(|subnet| subnet.id == id)
    }

    pub fn vpc_of_subnets(&self, subnets: &[String]) -> Option<&Vpc> {
        self.vpcs.iter().find(|vpc| vpc.subnets.iter().any(|s| subnets.contains(&s.id)))
    }

    pub fn is_public(&self, subnets: &[String]) -> bool {
        subnets.iter().filter_map(|id| self.subnet(id)).any(|s| s.tier == Tier::Public)
    }

    fn note(&mut self, line: usize, what: String) {
        self.unknown.push(Unknown { line, what });
    }
}

/// What a value refers to, each once.
fn targets(value: &Value) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for reference in references(value) {
        if !found.contains(&reference.to) {
            found.push(reference.to);
        }
    }
    // An id that is written out leads outside of the template.
    let literal = |value: &Value| match value {
        Value::String(text) if references(value).is_empty() && !text.is_empty() => Some(text.clone()),
        _ => None,
    };
    match value {
        Value::Array(items) => found.extend(items.iter().filter_map(literal)),
        one => found.extend(literal(one)),
    }
    found
}

/// The name of an object outside of the template for people.
pub fn label(id: &str) -> String {
    ["parameter ", "export "].iter().find_map(|kind| id.strip_prefix(kind)).unwrap_or(id).to_owned()
}
