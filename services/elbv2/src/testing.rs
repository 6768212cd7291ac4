//! A fake cloud for tests: this service and the operations of EC2 that it calls.

use crate::Elbv2;
use escale_base::{AwsError, Clock, Timestamp, Wire, wire::Value};
use escale_service::{
    Asked, Caller, Cloud, Config, Credential, Cx, Decision, DenialReason, Entry, Identity, Operation,
    Principal, Service,
};
use escale_store::{Image, Store};
use escale_tables::ec2::*;
use serde_json::json;
use std::{net::Ipv4Addr, sync::Arc};

pub(crate) struct FakeCloud {
    pub(crate) store: Store,
    pub(crate) vpc: VpcId,
    inner: Cloud,
    _dir: tempfile::TempDir,
}

impl FakeCloud {
    pub(crate) fn new() -> FakeCloud {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("state.db"), &escale_tables::all()).unwrap();
        let services: Vec<Arc<dyn Service>> = vec![Arc::new(Elbv2), Arc::new(FakeEc2)];
        let clock = Clock::by_hand(Timestamp(0));
        let inner = Cloud::new(Arc::new(Config::default()), clock, Arc::new(DenyAll), services);
        let vpc = Vpc {
            id: VpcId::random(),
            cidr: "10.0.0.0/16".parse().unwrap(),
            dns_support: true,
            dns_hostnames: true,
            tags: vec![],
            created: Timestamp(0),
        };
        let gateway =
            InternetGateway { id: InternetGatewayId::random(), vpc: Some(vpc.id.clone()), tags: vec![] };
        let id = vpc.id.clone();
        let cloud = FakeCloud { store, vpc: id, inner, _dir: dir };
        cloud.put(|tx| {
            tx.put(vpc);
            tx.put(gateway);
        });
        cloud
    }

    fn put<T>(&self, write: impl FnOnce(&mut escale_store::Tx) -> T) -> T {
        self.store.write(|tx| Ok::<T, escale_store::StoreError>(write(tx))).unwrap()
    }

    fn call(&self, operation: &str, input: Value) -> Result<Value, AwsError> {
        let caller = Caller { principal: Principal::Root, ..Caller::service("") };
        self.inner.call(&self.store, &caller, "elbv2", operation, input)
    }

    pub(crate) fn ok(&self, operation: &str, input: Value) -> Value {
        self.call(operation, input).unwrap_or_else(|e| panic!("{operation}: {e}"))
    }

    pub(crate) fn error(&self, operation: &str, input: Value) -> AwsError {
        self.call(operation, input).expect_err(operation)
    }

    /// A subnet in the zone with this letter.
    pub(crate) fn subnet(&self, letter: &str) -> String {
        let id = SubnetId::random();
        self.put(|tx| {
            let number = tx.scan::<Subnet>().count();
            tx.put(Subnet {
                id: id.clone(),
                vpc: self.vpc.clone(),
                cidr: format!("10.0.{number}.0/24").parse().unwrap(),
                zone: format!("eu-west-3{letter}").into(),
                map_public_ip: false,
                route_table: None,
                tags: vec![],
                created: Timestamp(0),
            });
        });
        id.0
    }

    pub(crate) fn address_in(&self, subnet: &str) -> String {
        let subnet = self.store.read().get::<Subnet>(subnet).unwrap();
        Ipv4Addr::from(u32::from(subnet.cidr.network()) + 100).to_string()
    }

    /// An internet-facing load balancer in two zones; its ARN.
    pub(crate) fn balancer(&self, name: &str) -> String {
        let input = json!({"Name": name, "Subnets": [self.subnet("a"), self.subnet("b")]});
        arn(&self.ok("CreateLoadBalancer", input)["LoadBalancers"][0]["LoadBalancerArn"])
    }

    pub(crate) fn group(&self, name: &str) -> String {
        let input =
            json!({"Name": name, "Protocol": "HTTP", "Port": 80, "VpcId": self.vpc, "TargetType": "ip"});
        arn(&self.ok("CreateTargetGroup", input)["TargetGroups"][0]["TargetGroupArn"])
    }

    /// A listener that answers 404; its ARN.
    pub(crate) fn listener(&self, balancer: &str, port: u16) -> String {
        let fixed = json!([{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}]);
        let input =
            json!({"LoadBalancerArn": balancer, "Protocol": "HTTP", "Port": port, "DefaultActions": fixed});
        arn(&self.ok("CreateListener", input)["Listeners"][0]["ListenerArn"])
    }

    /// The number of network interfaces and Elastic IP addresses.
    pub(crate) fn ec2_counts(&self) -> (usize, usize) {
        let image = self.store.read();
        (image.scan::<Interface>().count(), image.scan::<Address>().count())
    }

    pub(crate) fn make_interfaces_available(&self) {
        self.put(|tx| {
            let interfaces: Vec<_> = tx.scan::<Interface>().collect();
            for interface in interfaces {
                tx.put(InterfaceSeen {
                    id: interface.id.clone(),
                    vpc: interface.vpc.clone(),
                    public_ip: None,
                    namespace: "/nonexistent".into(),
                    at: Timestamp(0),
                });
            }
        });
    }
}

fn arn(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

struct DenyAll;

impl Identity for DenyAll {
    fn credential(&self, _: &Image, _: &str) -> Option<Credential> {
        None
    }
    fn decide(&self, _: &Image, _: &Caller, _: &Asked<'_>) -> Decision {
        Decision::Deny { why: "this test denies everything".into(), reason: DenialReason::NoAllow }
    }
}

/// The operations of EC2 that load balancers call, on EC2's own tables.
struct FakeEc2;

impl Service for FakeEc2 {
    fn id(&self) -> &'static str {
        "ec2"
    }
    fn operations(&self) -> Vec<Entry> {
        vec![
            Entry::of::<CreateNetworkInterface>("CreateNetworkInterface"),
            Entry::of::<DeleteNetworkInterface>("DeleteNetworkInterface"),
            Entry::of::<AllocateAddress>("AllocateAddress"),
            Entry::of::<AssociateAddress>("AssociateAddress"),
            Entry::of::<DisassociateAddress>("DisassociateAddress"),
            Entry::of::<ReleaseAddress>("ReleaseAddress"),
        ]
    }
}

macro_rules! ec2 {
    ($name:ident, $input:ident { $($field:ident: $ty:ty),* }, |$cx:ident, $in:ident| $run:expr) => {
        struct $name;
        #[derive(Wire)]
        struct $input { $($field: $ty),* }
        impl Operation for $name {
            type Input = $input;
            type Output = Value;
            type Error = AwsError;
            fn run($cx: &mut Cx<'_>, $in: $input) -> Result<Value, AwsError> { $run }
        }
    };
}

ec2!(CreateNetworkInterface, Create { subnet_id: SubnetId, groups: Vec<GroupId>, description: String }, |cx, input| {
    let subnet = cx.tx.get::<Subnet>(input.subnet_id.as_str()).unwrap();
    let number = cx.tx.scan::<Interface>().count() as u32;
    let id = InterfaceId::random();
    let private_ip = Ipv4Addr::from(u32::from(subnet.cidr.network()) + 4 + number);
    cx.tx.put(Interface {
        id: id.clone(),
        vpc: subnet.vpc.clone(),
        subnet: subnet.id.clone(),
        zone: subnet.zone.clone(),
        private_ip,
        auto_public_ip: None,
        groups: input.groups,
        source_dest_check: true,
        description: input.description,
        interface_type: escale_tables::ec2::InterfaceType::Interface,
        requester: Some("elasticloadbalancing.amazonaws.com".into()),
        tags: vec![],
        created: cx.now,
    });
    Ok(json!({"NetworkInterface": {"NetworkInterfaceId": id, "PrivateIpAddress": private_ip.to_string()}}))
});

ec2!(DeleteNetworkInterface, Delete { network_interface_id: String }, |cx, input| {
    assert!(cx.tx.delete::<Interface>(&input.network_interface_id));
    Ok(json!({}))
});

ec2!(AllocateAddress, Allocate {}, |cx, _input| {
    let number = cx.tx.scan::<Address>().count() as u32;
    let public_ip = Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 18, 1, 0)) + number);
    let id = AllocationId::random();
    cx.tx.put(Address { id: id.clone(), public_ip, association: None, requester: None, tags: vec![] });
    Ok(json!({"AllocationId": id, "PublicIp": public_ip.to_string()}))
});

ec2!(
    AssociateAddress,
    Associate { allocation_id: String, network_interface_id: InterfaceId },
    |cx, input| {
        let id = AssociationId::random();
        let association = Some((id.clone(), input.network_interface_id));
        cx.tx.update(&input.allocation_id, |a: &mut Address| a.association = association).unwrap();
        Ok(json!({"AssociationId": id}))
    }
);

ec2!(DisassociateAddress, Disassociate { association_id: AssociationId }, |cx, input| {
    let of = |a: &Address| a.association.as_ref().is_some_and(|(id, _)| *id == input.association_id);
    let address = cx.tx.scan::<Address>().find(|a| of(a)).unwrap();
    cx.tx.update(address.id.as_str(), |a: &mut Address| a.association = None).unwrap();
    Ok(json!({}))
});

ec2!(ReleaseAddress, Release { allocation_id: String }, |cx, input| {
    assert!(cx.tx.delete::<Address>(&input.allocation_id));
    Ok(json!({}))
});
