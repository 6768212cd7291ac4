//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html>

use crate::{
    Error, PRINCIPAL,
    choices::{IpAddressType, LoadBalancerType},
    error::invalid,
    rules, shapes,
};
use escale_base::{AwsError, Tag, Wire, ids};
use escale_requests::ec2::{AllocateAddress, AssociateAddress, CreateNetworkInterface};
use escale_service::{Config, Cx, Operation};
use escale_tables::{
    ec2::{GroupId, InternetGateway, Subnet, SubnetId, VpcId},
    elbv2::{LoadBalancer, LoadBalancerName, Node, PublicAddress, Scheme},
};
use std::sync::Arc;

pub(crate) struct CreateLoadBalancer;

#[derive(Wire)]
pub(crate) struct Input {
    name: String,
    subnets: Vec<SubnetId>,
    subnet_mappings: Vec<Mapping>,
    security_groups: Vec<GroupId>,
    scheme: Option<Scheme>,
    tags: Vec<Tag>,
    #[wire("Type")]
    kind: Option<LoadBalancerType>,
    ip_address_type: Option<IpAddressType>,
}

/// The other members of a mapping are for network load balancers.
#[derive(Wire)]
pub(crate) struct Mapping {
    subnet_id: SubnetId,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) load_balancers: Vec<shapes::BalancerShape>,
}

impl Operation for CreateLoadBalancer {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        refuse_unsupported(&input)?;
        rules::name("The load balancer", &input.name)?;
        // Reserved: the DNS names of internal load balancers start with it.
        if input.name.starts_with("internal-") {
            return Err(invalid("The load balancer name must not begin with 'internal-'"));
        }
        rules::tags(&input.tags)?;
        let scheme = input.scheme.unwrap_or(Scheme::InternetFacing);
        let mapped = input.subnet_mappings.into_iter().map(|m| m.subnet_id);
        let subnets = subnets(cx, input.subnets.into_iter().chain(mapped).collect())?;
        let vpc = subnets[0].vpc.clone();
        let groups = rules::groups(cx, &vpc, input.security_groups)?;
        if let Some(same) = existing(cx, &input.name, scheme, &subnets, &groups)? {
            return Ok(Output { load_balancers: vec![shapes::balancer(cx, &same)] });
        }
        // Without an Internet gateway the public addresses would not be reachable.
        let attached = cx.tx.scan::<InternetGateway>().any(|g| g.vpc.as_ref() == Some(&vpc));
        if scheme == Scheme::InternetFacing && !attached {
            return Err(Error::InvalidSubnet(format!("VPC {vpc} has no internet gateway")));
        }
        let id = ids::random_hex(16);
        let nodes = subnets
            .iter()
            .map(|subnet| node(cx, subnet, &groups, scheme, &format!("ELB app/{}/{id}", input.name)))
            .collect::<Result<Vec<_>, AwsError>>()?;
        let balancer = LoadBalancer {
            arn: cx
                .arn("elasticloadbalancing", format!("loadbalancer/app/{}/{id}", input.name))
                .to_string()
                .into(),
            dns_name: dns_name(cx.config, &input.name, &id, scheme).into(),
            name: input.name,
            scheme,
            vpc,
            groups,
            nodes,
            attributes: Default::default(),
            tags: input.tags,
            created: cx.now,
        };
        cx.tx.put(published(&balancer));
        cx.tx.put(balancer.clone());
        Ok(Output { load_balancers: vec![shapes::balancer(cx, &balancer)] })
    }
}

fn refuse_unsupported(input: &Input) -> Result<(), Error> {
    if let Some(kind) = input.kind.filter(|k| *k != LoadBalancerType::Application) {
        return Err(AwsError::not_supported(format_args!("A load balancer of the type '{kind}'"))
            .hint("Use 'application'.")
            .into());
    }
    if let Some(kind) = input.ip_address_type.filter(|k| *k != IpAddressType::Ipv4) {
        return Err(AwsError::not_supported(format_args!("The IP address type '{kind}'"))
            .hint("Use 'ipv4'.")
            .into());
    }
    Ok(())
}

/// Checks that there are at least two subnets, of one VPC and each in a different zone.
fn subnets(cx: &Cx<'_>, ids: Vec<SubnetId>) -> Result<Vec<Arc<Subnet>>, Error> {
    let get = |id: &SubnetId| cx.tx.get::<Subnet>(id.as_str()).ok_or_else(|| Error::NoSubnet(id.to_string()));
    let subnets = ids.iter().map(get).collect::<Result<Vec<_>, _>>()?;
    for (i, subnet) in subnets.iter().enumerate() {
        if subnet.vpc != subnets[0].vpc {
            let message = "All subnets must belong to the same VPC".to_owned();
            return Err(Error::InvalidConfiguration(message));
        }
        if subnets[..i].iter().any(|s| s.zone == subnet.zone) {
            let message =
                "A load balancer cannot be attached to multiple subnets in the same Availability Zone";
            return Err(Error::InvalidConfiguration(message.into()));
        }
    }
    if subnets.len() < 2 {
        return Err(invalid("At least two subnets in two different Availability Zones must be specified"));
    }
    Ok(subnets)
}

/// The existing load balancer with this name and these settings: the operation is idempotent. Other settings are an error.
fn existing(
    cx: &Cx<'_>,
    name: &str,
    scheme: Scheme,
    subnets: &[Arc<Subnet>],
    groups: &[GroupId],
) -> Result<Option<Arc<LoadBalancer>>, Error> {
    let Some(found) = cx.tx.scan::<LoadBalancer>().find(|b| b.name == name) else { return Ok(None) };
    let mut present: Vec<&SubnetId> = found.nodes.iter().map(|n| &n.subnet).collect();
    let mut wanted: Vec<&SubnetId> = subnets.iter().map(|s| &s.id).collect();
    // The order of the subnets does not matter.
    present.sort();
    wanted.sort();
    if present == wanted && found.scheme == scheme && found.groups == groups {
        return Ok(Some(found));
    }
    Err(Error::DuplicateLoadBalancer(name.to_owned()))
}

/// Creates a network interface in the subnet; for an internet-facing load balancer also an Elastic IP address.
fn node(
    cx: &mut Cx<'_>,
    subnet: &Subnet,
    groups: &[GroupId],
    scheme: Scheme,
    description: &str,
) -> Result<Node, AwsError> {
    let request = CreateNetworkInterface {
        subnet_id: subnet.id.clone(),
        description: description.to_owned(),
        groups: Some(groups.to_vec()),
        interface_type: None,
        private_ip_address: None,
    };
    // As the service itself: the caller needs no permission for EC2's operations.
    let interface = cx.call_as(PRINCIPAL, request)?.network_interface;
    let public = match scheme {
        Scheme::Internal => None,
        Scheme::InternetFacing => {
            let allocated = cx.call_as(PRINCIPAL, AllocateAddress {})?;
            let request = AssociateAddress {
                allocation_id: allocated.allocation_id.clone(),
                network_interface_id: interface.network_interface_id.clone(),
            };
            let association = cx.call_as(PRINCIPAL, request)?.association_id;
            Some(PublicAddress { allocation: allocated.allocation_id, association, ip: allocated.public_ip })
        }
    };
    Ok(Node {
        zone: subnet.zone.clone(),
        subnet: subnet.id.clone(),
        private_ip: interface.private_ip_address,
        interface: interface.network_interface_id,
        public,
    })
}

/// The DNS name. `escale_route53::system` has the zones, and the reason why an internal name does not end in `localhost`.
fn dns_name(config: &Config, name: &str, id: &str, scheme: Scheme) -> String {
    let region = &config.region;
    let name = name.to_ascii_lowercase();
    match scheme {
        Scheme::InternetFacing => format!("{name}-{id}.{region}.elb.{}", Config::PUBLIC_SUFFIX),
        Scheme::Internal => format!("internal-{name}-{id}.{region}.elb.{}", Config::PRIVATE_SUFFIX),
    }
}

fn published(balancer: &LoadBalancer) -> LoadBalancerName {
    let vpc: VpcId = balancer.vpc.clone();
    let address = |n: &Node| n.public.as_ref().map_or(n.private_ip, |p| p.ip);
    LoadBalancerName {
        name: balancer.dns_name.clone(),
        addresses: balancer.nodes.iter().map(address).collect(),
        public: balancer.scheme == Scheme::InternetFacing,
        vpc,
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::FakeCloud;
    use serde_json::json;

    #[test]
    fn refuses_invalid_and_unsupported_load_balancers() {
        let cloud = FakeCloud::new();
        let (a, b, other) = (cloud.subnet("a"), cloud.subnet("b"), cloud.subnet("b"));
        for (change, code) in [
            (json!({"Type": "network"}), "NotImplemented"),
            (json!({"IpAddressType": "dualstack"}), "NotImplemented"),
            (json!({"Subnets": [a]}), "ValidationError"),
            (json!({"Subnets": [a, b, other]}), "InvalidConfigurationRequest"),
            (json!({"Subnets": [a, "subnet-0"]}), "SubnetNotFound"),
            (json!({"SecurityGroups": ["sg-0"]}), "InvalidSecurityGroup"),
            (json!({"Name": "-x"}), "ValidationError"),
            (json!({"Name": "internal-x"}), "ValidationError"),
            (json!({"SubnetMappings": [{"SubnetId": a, "AllocationId": "eipalloc-1"}]}), "NotImplemented"),
        ] {
            let mut input = json!({"Name": "web", "Subnets": [a, b]});
            input.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            assert_eq!(cloud.error("CreateLoadBalancer", input).code, code, "{change}");
        }
    }

    #[test]
    fn has_interface_and_address_per_zone_until_deleted() {
        let cloud = FakeCloud::new();
        let subnets = json!([cloud.subnet("a"), cloud.subnet("b")]);
        let input = json!({"Name": "Web", "Subnets": subnets});
        let made = cloud.ok("CreateLoadBalancer", input.clone())["LoadBalancers"][0].clone();
        assert_eq!(made["State"]["Code"], "provisioning");
        assert!(made["DNSName"].as_str().unwrap().starts_with("web-"), "{made}");
        assert!(made["DNSName"].as_str().unwrap().ends_with(".eu-west-3.elb.localhost"), "{made}");
        assert_eq!(cloud.ec2_counts(), (2, 2));
        let again = cloud.ok("CreateLoadBalancer", input)["LoadBalancers"][0].clone();
        assert_eq!(again["LoadBalancerArn"], made["LoadBalancerArn"]);
        let differs = json!({"Name": "Web", "Subnets": subnets, "Scheme": "internal"});
        assert_eq!(cloud.error("CreateLoadBalancer", differs).code, "DuplicateLoadBalancerName");
        cloud.ok("DeleteLoadBalancer", json!({"LoadBalancerArn": made["LoadBalancerArn"]}));
        assert_eq!(cloud.ec2_counts(), (0, 0));
    }
}
