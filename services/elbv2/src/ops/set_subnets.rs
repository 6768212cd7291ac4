//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_SetSubnets.html>

use crate::{
    Error,
    choices::IpAddressType,
    nodes::{self, Mapping},
    rules, shapes,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::{ec2::SubnetId, elbv2::Node};

pub(crate) struct SetSubnets;

#[derive(Wire)]
pub(crate) struct Input {
    load_balancer_arn: String,
    subnets: Vec<SubnetId>,
    subnet_mappings: Vec<Mapping>,
}

#[derive(Wire)]
pub(crate) struct Output {
    availability_zones: Vec<shapes::ZoneShape>,
    ip_address_type: IpAddressType,
}

impl Operation for SetSubnets {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.load_balancer_arn.clone()]
    }

    /// A subnet that the load balancer has already keeps its node.
    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut balancer = (*rules::load_balancer(cx, &input.load_balancer_arn)?).clone();
        let subnets = nodes::subnets(cx, balancer.kind, input.subnets, input.subnet_mappings)?;
        if subnets[0].vpc != balancer.vpc {
            let message = format!("The subnets must be in the load balancer's VPC {}", balancer.vpc);
            return Err(Error::InvalidConfiguration(message));
        }
        let is_kept = |node: &Node| subnets.iter().any(|subnet| subnet.id == node.subnet);
        let (kept, removed): (Vec<Node>, Vec<Node>) = balancer.nodes.drain(..).partition(is_kept);
        for subnet in &subnets {
            let node = match kept.iter().find(|node| node.subnet == subnet.id) {
                Some(node) => node.clone(),
                None => nodes::create(cx, &balancer, subnet)?,
            };
            balancer.nodes.push(node);
        }
        // DNS gets the addresses of new nodes once the plane serves them. If no other node is left, it has no better ones.
        let published = if kept.is_empty() { &balancer.nodes } else { &kept };
        cx.tx.put(nodes::published(&balancer, published));
        let shape = shapes::balancer(cx, &balancer);
        cx.tx.put(balancer);
        for node in &removed {
            nodes::release(cx, node)?;
        }
        Ok(Output { availability_zones: shape.availability_zones, ip_address_type: shape.ip_address_type })
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::FakeCloud;
    use escale_tables::elbv2::{LoadBalancer, LoadBalancerName, Node};
    use serde_json::json;

    #[test]
    fn keeps_the_nodes_of_remaining_subnets() {
        let cloud = FakeCloud::new();
        let (a, b, c) = (cloud.subnet("a"), cloud.subnet("b"), cloud.subnet("c"));
        let input = json!({"Name": "web", "Subnets": [a, b]});
        let arn = cloud.text("CreateLoadBalancer", input, "/LoadBalancers/0/LoadBalancerArn");
        let balancer = || cloud.store.read().get::<LoadBalancer>(&arn).unwrap();
        let node = |subnet: &str| balancer().nodes.iter().find(|n| n.subnet.as_str() == subnet).cloned();
        let first: Node = node(&a).unwrap();
        let zones = cloud.ok("SetSubnets", json!({"LoadBalancerArn": arn, "Subnets": [c, a]}));
        assert_eq!(zones["AvailabilityZones"].as_array().unwrap().len(), 2);
        assert_eq!((node(&a), node(&b)), (Some(first.clone()), None));
        assert_eq!(cloud.ec2_counts(), (2, 2), "the removed node has released its interface and address");
        let name = cloud.store.read().get::<LoadBalancerName>(&balancer().dns_name).unwrap();
        assert_eq!(name.addresses, [first.public.unwrap().ip]);
    }

    #[test]
    fn refuses_invalid_subnets() {
        let cloud = FakeCloud::new();
        let arn = cloud.balancer("web");
        let (a, other) = (cloud.subnet("a"), cloud.subnet("a"));
        for (subnets, code) in [
            (json!([a]), "ValidationError"),
            (json!([a, other]), "InvalidConfigurationRequest"),
            (json!([a, "subnet-0"]), "SubnetNotFound"),
        ] {
            let input = json!({"LoadBalancerArn": arn, "Subnets": subnets});
            assert_eq!(cloud.error("SetSubnets", input).code, code, "{subnets}");
        }
    }
}
