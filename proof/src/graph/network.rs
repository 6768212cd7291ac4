//! VPCs, their subnets by zone and tier, and the routes that decide the tier.

use super::{Architecture, label, targets};
use crate::survey::{Resource, Survey, references, shown, text_of};
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub struct Vpc {
    pub id: String,
    pub name: String,
    pub cidr: String,
    /// In order; the columns of a diagram.
    pub zones: Vec<String>,
    pub subnets: Vec<Subnet>,
    pub internet_gateway: Option<String>,
    /// Endpoints: logical id and service (`s3`, `ecr.api`).
    pub endpoints: Vec<(String, String)>,
    /// The VPC itself is not in the template.
    pub is_outside: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct Subnet {
    pub id: String,
    pub line: usize,
    pub cidr: String,
    pub zone: String,
    pub tier: Tier,
    /// The NAT gateway of its default route.
    pub nat: Option<String>,
    /// It is not in the template.
    pub is_outside: bool,
}

/// The rows of a diagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Its default route is an Internet gateway.
    Public,
    Application,
    Data,
}

impl Tier {
    pub const ALL: [Tier; 3] = [Tier::Public, Tier::Application, Tier::Data];

    pub fn name(self) -> &'static str {
        match self {
            Tier::Public => "Public subnets",
            Tier::Application => "Application subnets",
            Tier::Data => "Data subnets",
        }
    }
}

/// The zone of subnets that do not choose one.
pub(crate) const ANY_ZONE: &str = "zone chosen by AWS";

pub(super) fn read(survey: &Survey, made: &mut Architecture) {
    let uses = Uses::of(made);
    for resource in survey.of_kind("AWS::EC2::VPC") {
        let cidr = match resource.get("/CidrBlock") {
            serde_json::Value::Null => "addresses of an IPAM pool".to_owned(),
            value => shown(value),
        };
        made.vpcs.push(Vpc {
            id: resource.id.clone(),
            name: resource.id.clone(),
            cidr,
            zones: Vec::new(),
            subnets: Vec::new(),
            internet_gateway: gateway(survey, &resource.id),
            endpoints: Vec::new(),
            is_outside: false,
        });
    }
    for resource in survey.of_kind("AWS::EC2::Subnet") {
        let id = targets(resource.get("/VpcId")).into_iter().next().unwrap_or_default();
        let subnet = subnet(survey, resource, &uses);
        vpc(made, &id).subnets.push(subnet);
    }
    outside(survey, made, &uses);
    for resource in survey.of_kind("AWS::EC2::VPCEndpoint") {
        let id = targets(resource.get("/VpcId")).into_iter().next().unwrap_or_default();
        let service = shown(resource.get("/ServiceName"));
        let short = service.splitn(4, '.').nth(3).unwrap_or(&service).to_owned();
        vpc(made, &id).endpoints.push((resource.id.clone(), short));
    }
    for vpc in &mut made.vpcs {
        let mut zones: Vec<String> = vpc.subnets.iter().map(|s| s.zone.clone()).collect();
        zones.sort();
        zones.dedup();
        vpc.zones = zones;
    }
    made.vpcs.retain(|vpc| !vpc.is_outside || !vpc.subnets.is_empty());
}

/// The VPC of this id, which may be outside of the template.
fn vpc<'a>(made: &'a mut Architecture, id: &str) -> &'a mut Vpc {
    let at = made.vpcs.iter().position(|vpc| vpc.id == id).unwrap_or_else(|| {
        made.vpcs.push(Vpc {
            id: id.to_owned(),
            name: label(id),
            cidr: "outside of the template".to_owned(),
            zones: Vec::new(),
            subnets: Vec::new(),
            internet_gateway: None,
            endpoints: Vec::new(),
            is_outside: true,
        });
        made.vpcs.len() - 1
    });
    &mut made.vpcs[at]
}

/// The Internet gateway that is attached to a VPC.
fn gateway(survey: &Survey, vpc: &str) -> Option<String> {
    let attachment = survey
        .of_kind("AWS::EC2::VPCGatewayAttachment")
        .find(|a| targets(a.get("/VpcId")).iter().any(|id| id == vpc))?;
    targets(attachment.get("/InternetGatewayId")).into_iter().next()
}

/// The subnets of what runs.
struct Uses {
    services: Vec<String>,
    databases: Vec<String>,
}

impl Uses {
    fn of(made: &Architecture) -> Uses {
        Uses {
            services: made.services.iter().flat_map(|s| s.subnets.clone()).collect(),
            databases: made.databases.iter().flat_map(|d| d.subnets.clone()).collect(),
        }
    }
}

fn subnet(survey: &Survey, resource: &Resource, uses: &Uses) -> Subnet {
    let route = default_route(survey, &resource.id);
    let nat = route.and_then(|r| targets(r.get("/NatGatewayId")).into_iter().next());
    let is_public = route.is_some_and(|r| leads_to_the_internet(survey, r));
    let is_data = uses.databases.contains(&resource.id) || nat.is_none();
    let tier = match (is_public, uses.services.contains(&resource.id)) {
        (true, _) => Tier::Public,
        (false, true) => Tier::Application,
        (false, false) if is_data => Tier::Data,
        (false, false) => Tier::Application,
    };
    let zone = match resource.get("/AvailabilityZone") {
        serde_json::Value::Null => ANY_ZONE.to_owned(),
        value => text_of(value).unwrap_or_else(|| format!("zone {}", shown(value).replace("parameter ", ""))),
    };
    let cidr = match resource.get("/CidrBlock") {
        serde_json::Value::Null => "addresses chosen by AWS".to_owned(),
        value => shown(value),
    };
    Subnet { id: resource.id.clone(), line: resource.line, cidr, zone, tier, nat, is_outside: false }
}

/// The IPv4 default route of a subnet, by the association of its route table. A route of the main table is not in a template unless
/// the table is associated.
fn default_route<'a>(survey: &'a Survey, subnet: &str) -> Option<&'a Resource> {
    let association = survey
        .of_kind("AWS::EC2::SubnetRouteTableAssociation")
        .find(|a| targets(a.get("/SubnetId")).iter().any(|id| id == subnet))?;
    let tables = targets(association.get("/RouteTableId"));
    survey.of_kind("AWS::EC2::Route").find(|route| {
        route.text("/DestinationCidrBlock").as_deref() == Some("0.0.0.0/0")
            && targets(route.get("/RouteTableId")).iter().any(|id| tables.contains(id))
    })
}

fn leads_to_the_internet(survey: &Survey, route: &Resource) -> bool {
    let gateway = route.get("/GatewayId");
    // A route to a gateway outside of the template may lead to a virtual private gateway. The ids of Internet gateways begin with `igw-`.
    let is_outside = references(gateway).iter().any(|r| !survey.resources.contains_key(&r.to));
    survey.referred(gateway, "AWS::EC2::InternetGateway").is_some()
        || is_outside
        || text_of(gateway).is_some_and(|id| id.starts_with("igw-"))
}

/// Adds the subnets that the template only refers to. Their tier follows from their use.
fn outside(survey: &Survey, made: &mut Architecture, uses: &Uses) {
    let mut used: Vec<(String, Tier, usize)> = Vec::new();
    for balancer in &made.balancers {
        let tier = if balancer.is_internal { Tier::Application } else { Tier::Public };
        used.extend(balancer.subnets.iter().map(|id| (id.clone(), tier, balancer.line)));
    }
    for service in &made.services {
        let tier = if service.has_public_address { Tier::Public } else { Tier::Application };
        used.extend(service.subnets.iter().map(|id| (id.clone(), tier, service.line)));
    }
    used.extend(
        made.databases.iter().flat_map(|d| d.subnets.iter().map(|id| (id.clone(), Tier::Data, d.line))),
    );
    used.extend(made.nats.iter().map(|n| (n.subnet.clone(), Tier::Public, n.line)));
    let parameters: Vec<String> = survey
        .resources
        .values()
        .filter_map(|r| targets(r.get("/VpcId")).into_iter().find(|id| !survey.resources.contains_key(id)))
        .collect();
    let vpc_id = parameters.first().cloned().unwrap_or_else(|| "VPC of these subnets".to_owned());
    for (id, tier, line) in used {
        if id.is_empty() || made.subnet(&id).is_some() {
            continue;
        }
        made.note(
            line,
            format!(
                "the subnets {} are not in the template: their zones, networks and routes are not known, and their tier is that of their use",
                label(&id)
            ),
        );
        let is_data = uses.databases.contains(&id) && !uses.services.contains(&id);
        let subnet = Subnet {
            cidr: label(&id),
            line,
            zone: "zones not known".to_owned(),
            tier: if is_data && tier != Tier::Public { Tier::Data } else { tier },
            nat: None,
            is_outside: true,
            id,
        };
        vpc(made, &vpc_id).subnets.push(subnet);
    }
}
