//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html>

use crate::{
    Error,
    choices::{IpAddressType, LoadBalancerType},
    error::invalid,
    network,
    nodes::{self, Mapping},
    rules, shapes,
};
use escale_base::{AwsError, Tag, Wire, ids};
use escale_service::{Config, Cx, Operation};
use escale_tables::{
    ec2::{GroupId, InternetGateway, Subnet, SubnetId},
    elbv2::{BalancerKind, LoadBalancer, Scheme},
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

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) load_balancers: Vec<shapes::BalancerShape>,
}

impl Operation for CreateLoadBalancer {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let kind = kind(input.kind)?;
        supported_addresses(input.ip_address_type)?;
        rules::name("The load balancer", &input.name)?;
        // Reserved: the DNS names of internal load balancers start with it.
        if input.name.starts_with("internal-") {
            return Err(invalid("The load balancer name must not begin with 'internal-'"));
        }
        rules::tags(&input.tags)?;
        let scheme = input.scheme.unwrap_or(Scheme::InternetFacing);
        let subnets = nodes::subnets(cx, kind, input.subnets, input.subnet_mappings)?;
        let vpc = subnets[0].vpc.clone();
        let groups = match kind {
            BalancerKind::Network if input.security_groups.is_empty() => Vec::new(),
            _ => rules::groups(cx, &vpc, input.security_groups)?,
        };
        if let Some(same) = existing(cx, &input.name, (kind, scheme), &subnets, &groups)? {
            return Ok(Output { load_balancers: vec![shapes::balancer(cx, &same)] });
        }
        // Without an Internet gateway the public addresses would not be reachable.
        let attached = cx.tx.scan::<InternetGateway>().any(|g| g.vpc.as_ref() == Some(&vpc));
        if scheme == Scheme::InternetFacing && !attached {
            return Err(Error::InvalidSubnet(format!("VPC {vpc} has no internet gateway")));
        }
        let id = ids::random_hex(16);
        let mut balancer = LoadBalancer {
            arn: cx
                .arn(
                    "elasticloadbalancing",
                    format!("loadbalancer/{}/{}/{id}", network::arn_part(kind), input.name),
                )
                .to_string()
                .into(),
            dns_name: dns_name(cx.config, &input.name, &id, (kind, scheme)).into(),
            kind,
            name: input.name,
            scheme,
            vpc,
            groups,
            nodes: Vec::new(),
            attributes: Default::default(),
            cookie_key: Some(rules::new_cookie_key()),
            tags: input.tags,
            created: cx.now,
        };
        for subnet in &subnets {
            let node = nodes::create(cx, &balancer, subnet)?;
            balancer.nodes.push(node);
        }
        cx.tx.put(nodes::published(&balancer, &balancer.nodes));
        cx.tx.put(balancer.clone());
        Ok(Output { load_balancers: vec![shapes::balancer(cx, &balancer)] })
    }
}

/// AWS's default is `application`.
fn kind(requested: Option<LoadBalancerType>) -> Result<BalancerKind, AwsError> {
    match requested {
        None | Some(LoadBalancerType::Application) => Ok(BalancerKind::Application),
        Some(LoadBalancerType::Network) => Ok(BalancerKind::Network),
        Some(kind @ LoadBalancerType::Gateway) => {
            Err(AwsError::not_supported(format_args!("A load balancer of the type '{kind}'"))
                .hint("Use 'application' or 'network'."))
        }
    }
}

pub(crate) fn supported_addresses(kind: Option<IpAddressType>) -> Result<(), AwsError> {
    match kind.filter(|k| *k != IpAddressType::Ipv4) {
        Some(kind) => {
            Err(AwsError::not_supported(format_args!("The IP address type '{kind}'")).hint("Use 'ipv4'."))
        }
        None => Ok(()),
    }
}

/// The existing load balancer with this name and these settings: the operation is idempotent. Other settings are an error.
fn existing(
    cx: &Cx<'_>,
    name: &str,
    (kind, scheme): (BalancerKind, Scheme),
    subnets: &[Arc<Subnet>],
    groups: &[GroupId],
) -> Result<Option<Arc<LoadBalancer>>, Error> {
    let Some(found) = cx.tx.scan::<LoadBalancer>().find(|b| b.name == name) else { return Ok(None) };
    let mut present: Vec<&SubnetId> = found.nodes.iter().map(|n| &n.subnet).collect();
    let mut wanted: Vec<&SubnetId> = subnets.iter().map(|s| &s.id).collect();
    // The order of the subnets does not matter.
    present.sort();
    wanted.sort();
    if present == wanted && (found.kind, found.scheme) == (kind, scheme) && found.groups == groups {
        return Ok(Some(found));
    }
    Err(Error::DuplicateLoadBalancer(name.to_owned()))
}

/// The DNS name. `escale_route53::system` has the zones, and the reason why an internal name does not end in `localhost`.
fn dns_name(config: &Config, name: &str, id: &str, (kind, scheme): (BalancerKind, Scheme)) -> String {
    let region = &config.region;
    let name = name.to_ascii_lowercase();
    match scheme {
        Scheme::Internal if kind == BalancerKind::Network => {
            format!("{name}-{id}.{region}.elb.{}", Config::PRIVATE_SUFFIX)
        }
        Scheme::InternetFacing => format!("{name}-{id}.{region}.elb.{}", Config::PUBLIC_SUFFIX),
        Scheme::Internal => format!("internal-{name}-{id}.{region}.elb.{}", Config::PRIVATE_SUFFIX),
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
            (json!({"Type": "gateway"}), "NotImplemented"),
            (json!({"Type": "network", "Subnets": []}), "ValidationError"),
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
