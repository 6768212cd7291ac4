//! A cloud for tests: this service and a fake of EC2.

use crate::Elbv2;
use escale_harness::{DenyAll, FakeEc2, Harness};
use escale_tables::ec2::*;
use serde_json::json;
use std::{net::Ipv4Addr, ops::Deref, sync::Arc};

/// The harness with a VPC, and shorter forms of frequent calls. No policy allows anything.
pub(crate) struct FakeCloud {
    pub(crate) vpc: VpcId,
    harness: Harness,
}

impl Deref for FakeCloud {
    type Target = Harness;

    fn deref(&self) -> &Harness {
        &self.harness
    }
}

impl FakeCloud {
    pub(crate) fn new() -> FakeCloud {
        let harness = Harness::with(vec![Arc::new(Elbv2), Arc::new(FakeEc2)], Arc::new(DenyAll), &[]);
        FakeCloud { vpc: FakeEc2::vpc(&harness), harness }
    }

    /// A subnet in the zone with this letter.
    pub(crate) fn subnet(&self, letter: &str) -> String {
        FakeEc2::subnet(self, &self.vpc, letter).0
    }

    pub(crate) fn address_in(&self, subnet: &str) -> String {
        let subnet = self.store.read().get::<Subnet>(subnet).unwrap();
        Ipv4Addr::from(u32::from(subnet.cidr.network()) + 100).to_string()
    }

    /// An internet-facing load balancer in two zones; its ARN.
    pub(crate) fn balancer(&self, name: &str) -> String {
        let input = json!({"Name": name, "Subnets": [self.subnet("a"), self.subnet("b")]});
        self.text("CreateLoadBalancer", input, "/LoadBalancers/0/LoadBalancerArn")
    }

    pub(crate) fn group(&self, name: &str) -> String {
        let input =
            json!({"Name": name, "Protocol": "HTTP", "Port": 80, "VpcId": self.vpc, "TargetType": "ip"});
        self.text("CreateTargetGroup", input, "/TargetGroups/0/TargetGroupArn")
    }

    /// A listener that answers 404; its ARN.
    pub(crate) fn listener(&self, balancer: &str, port: u16) -> String {
        let fixed = json!([{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}]);
        let input =
            json!({"LoadBalancerArn": balancer, "Protocol": "HTTP", "Port": port, "DefaultActions": fixed});
        self.text("CreateListener", input, "/Listeners/0/ListenerArn")
    }

    /// The number of network interfaces and Elastic IP addresses.
    pub(crate) fn ec2_counts(&self) -> (usize, usize) {
        let image = self.store.read();
        (image.scan::<Interface>().count(), image.scan::<Address>().count())
    }
}
