//! The reconciler of VPCs on the fake network.

use super::vpc::{Step, Vpcs, plan};
use crate::testing::FakeCloud;
use async_trait::async_trait;
use escale_base::{Clock, Timestamp, wire::Value};
use escale_engine::{Plan, Reconciler};
use escale_faults::{
    Driven, Fate, FaultAt, Risky, Stage, survives_failure_at_each_step, survives_repeat,
    survives_withdrawal_at_each_step,
};
use escale_network::{FakeNetwork, Kind, Network, Peer, Protocol, Target, VpcSpec};
use escale_store::Store;
use escale_tables::{ec2::InterfaceSeen, s3::Bucket};
use serde_json::json;
use std::sync::Arc;

struct Fixture {
    cloud: FakeCloud,
    network: Arc<FakeNetwork>,
    vpcs: Vpcs,
}

impl Fixture {
    fn new() -> Fixture {
        Fixture::with(Arc::new(FaultAt::never()))
    }

    fn with(fate: Arc<dyn Fate>) -> Fixture {
        let (cloud, network) = (FakeCloud::new(), Arc::new(FakeNetwork::default()));
        let risky = Risky::new(&network, &fate);
        let vpcs = Vpcs { network: risky, store: cloud.store.clone(), cloud: Arc::clone(&cloud.cloud) };
        Fixture { cloud, network, vpcs }
    }

    fn plan(&self, vpc: &str) -> Plan<Step> {
        plan(&self.cloud.store.read(), &self.cloud.cloud.config, vpc)
    }

    /// Executes steps until the plan has none left.
    async fn settle(&self, vpc: &str) -> Option<VpcSpec> {
        while let Plan::Step(step) = self.plan(vpc) {
            self.vpcs.act(vpc, step).await.unwrap();
        }
        assert_eq!(self.plan(vpc), Plan::Done);
        self.network.spec(vpc)
    }
}

#[async_trait]
impl Stage for Fixture {
    fn store(&self) -> &Store {
        &self.cloud.store
    }
    fn clock(&self) -> &Clock {
        &self.cloud.clock
    }
    fn reconcilers(&self) -> Vec<&dyn Driven> {
        vec![&self.vpcs]
    }
    async fn world(&self) -> String {
        let vpcs = self.network.vpcs().await.unwrap();
        let seen: Vec<_> = self.cloud.store.read().scan::<InterfaceSeen>().collect();
        format!("{:#?} {seen:#?}", vpcs.iter().map(|v| self.network.spec(v)).collect::<Vec<_>>())
    }
}

async fn with_an_interface(fate: Arc<dyn Fate>) -> Fixture {
    let fixture = Fixture::with(fate);
    let vpc = fixture.cloud.vpc();
    fixture.cloud.interface(&fixture.cloud.subnet(&vpc, "10.0.1.0/24"));
    fixture
}

#[tokio::test]
async fn survives_repeats_failures_and_deletion_at_each_step() {
    survives_repeat(with_an_interface).await;
    survives_failure_at_each_step(with_an_interface).await;
    survives_withdrawal_at_each_step(with_an_interface, |fixture| {
        let cloud = &fixture.cloud;
        let id = |list: &Value, id: &str| list[0][id].as_str().unwrap().to_owned();
        let all = |operation, list: &str| cloud.ok(operation, json!({}))[list].clone();
        let interface = id(&all("DescribeNetworkInterfaces", "NetworkInterfaces"), "NetworkInterfaceId");
        cloud.ok("DeleteNetworkInterface", json!({"NetworkInterfaceId": interface}));
        cloud.ok("DeleteSubnet", json!({"SubnetId": id(&all("DescribeSubnets", "Subnets"), "SubnetId")}));
        cloud.ok("DeleteVpc", json!({"VpcId": id(&all("DescribeVpcs", "Vpcs"), "VpcId")}));
    })
    .await;
}

#[tokio::test]
async fn default_vpc_is_built_with_its_first_interface() {
    let fixture = Fixture::new();
    let cloud = &fixture.cloud;
    cloud.install();
    let vpc = cloud.ok("DescribeVpcs", json!({}))["Vpcs"][0].clone();
    assert_eq!((&vpc["IsDefault"], &vpc["State"]), (&json!(true), &json!("available")));
    let id = vpc["VpcId"].as_str().unwrap();
    assert_eq!(fixture.settle(id).await, None);
    let subnet =
        cloud.ok("DescribeSubnets", json!({}))["Subnets"][0]["SubnetId"].as_str().unwrap().to_owned();
    let interface = cloud.interface(&subnet);
    let spec = fixture.settle(id).await.unwrap();
    assert!(spec.internet_gateway && spec.subnets.len() == 3);
    assert_eq!(spec.interfaces[0].name, interface);
    // The network is kept when its last interface is deleted, like any other VPC's.
    cloud.ok("DeleteNetworkInterface", json!({"NetworkInterfaceId": interface}));
    assert!(fixture.settle(id).await.is_some());
}

#[tokio::test]
async fn network_is_created_updated_and_removed_with_its_rows() {
    let fixture = Fixture::new();
    let cloud = &fixture.cloud;
    let vpc = cloud.vpc();
    assert_eq!(cloud.ok("DescribeVpcs", json!({}))["Vpcs"][0]["State"], "pending");
    let spec = fixture.settle(&vpc).await.unwrap();
    assert_eq!(spec.resolver().to_string(), "10.0.0.2");
    assert_eq!(cloud.ok("DescribeVpcs", json!({}))["Vpcs"][0]["State"], "available");
    let subnet = cloud.subnet(&vpc, "10.0.1.0/24");
    let interface = cloud.interface(&subnet);
    let spec = fixture.settle(&vpc).await.unwrap();
    assert_eq!(spec.interfaces[0].name, interface);
    let shown = cloud.ok("DescribeNetworkInterfaces", json!({}));
    assert_eq!(shown["NetworkInterfaces"][0]["Status"], "available");
    cloud.ok("DeleteNetworkInterface", json!({"NetworkInterfaceId": interface}));
    assert!(fixture.settle(&vpc).await.unwrap().interfaces.is_empty());
    assert!(!cloud.store.read().has::<InterfaceSeen>(&interface));
    cloud.ok("DeleteSubnet", json!({"SubnetId": subnet}));
    cloud.ok("DeleteVpc", json!({"VpcId": vpc}));
    assert_eq!(fixture.settle(&vpc).await, None);
    assert!(fixture.network.vpcs().await.unwrap().is_empty());
}

#[tokio::test]
async fn only_interfaces_of_flow_logs_are_counted() {
    let fixture = Fixture::new();
    let cloud = &fixture.cloud;
    let vpc = cloud.vpc();
    let subnets = [cloud.subnet(&vpc, "10.0.1.0/24"), cloud.subnet(&vpc, "10.0.2.0/24")];
    let [one, other] = [cloud.interface(&subnets[0]), cloud.interface(&subnets[1])];
    let create = |kind: &str, resource: &str, mut more: Value| {
        more["ResourceType"] = kind.into();
        more["ResourceIds"] = json!([resource]);
        more["TrafficType"] = "ALL".into();
        cloud.text("CreateFlowLogs", more, "/FlowLogIds/0")
    };
    assert!(fixture.settle(&vpc).await.unwrap().counted.is_empty());
    cloud.write(|tx| tx.put(Bucket::new("b".into(), Timestamp(0))));
    let role = "arn:aws:iam::000000000000:role/r";
    let delivered = || json!({"LogGroupName": "g", "DeliverLogsPermissionArn": role});
    create("NetworkInterface", &one, json!({"LogDestinationType": "s3", "LogDestination": "arn:aws:s3:::b"}));
    assert_eq!(fixture.settle(&vpc).await.unwrap().counted, [one.clone()].into());
    let of_subnet = create("Subnet", &subnets[1], delivered());
    assert_eq!(fixture.settle(&vpc).await.unwrap().counted, [one.clone(), other].into());
    cloud.ok("DeleteFlowLogs", json!({"FlowLogIds": [of_subnet]}));
    assert_eq!(fixture.settle(&vpc).await.unwrap().counted, [one].into());
}

#[tokio::test]
async fn routes_to_deleted_targets_become_black_holes() {
    let fixture = Fixture::new();
    let cloud = &fixture.cloud;
    let vpc = cloud.vpc();
    let subnet = cloud.subnet(&vpc, "10.0.1.0/24");
    let gateway = cloud.internet(&vpc);
    let allocation = cloud.text("AllocateAddress", json!({}), "/AllocationId");
    let input = json!({"SubnetId": subnet, "AllocationId": allocation});
    let nat = cloud.text("CreateNatGateway", input, "/NatGateway/NatGatewayId");
    let table = cloud.text("CreateRouteTable", json!({"VpcId": vpc}), "/RouteTable/RouteTableId");
    let add = |to: &str, member: &str, id: &str| {
        cloud.ok("CreateRoute", json!({"RouteTableId": table, "DestinationCidrBlock": to, member: id}));
    };
    add("0.0.0.0/0", "NatGatewayId", &nat);
    add("192.0.2.0/24", "GatewayId", &gateway);
    let middle = cloud.interface(&subnet);
    add("203.0.113.0/24", "NetworkInterfaceId", &middle);
    cloud.ok(
        "CreateVpcEndpoint",
        json!({"VpcId": vpc, "ServiceName": "com.amazonaws.eu-west-3.s3", "RouteTableIds": [table]}),
    );
    let targets = |spec: &VpcSpec| {
        let table = spec.route_tables.iter().find(|t| t.name == table).unwrap();
        table.routes.iter().map(|r| (r.destination.to_string(), r.target.clone())).collect::<Vec<_>>()
    };
    let spec = fixture.settle(&vpc).await.unwrap();
    let through = spec.interfaces.iter().find(|i| i.kind == Kind::Nat).unwrap();
    assert_eq!(through.public_address.unwrap().to_string(), "198.18.1.0");
    assert_eq!(
        targets(&spec),
        [
            ("198.18.0.3/32".to_owned(), Target::ServiceEndpoint),
            ("0.0.0.0/0".to_owned(), Target::Interface(through.name.clone())),
            ("192.0.2.0/24".to_owned(), Target::InternetGateway),
            ("203.0.113.0/24".to_owned(), Target::Blackhole),
        ]
    );
    let state = || cloud.ok("DescribeNatGateways", json!({}))["NatGateways"][0]["State"].clone();
    assert_eq!(state(), "available");
    cloud.ok(
        "ModifyNetworkInterfaceAttribute",
        json!({"NetworkInterfaceId": middle, "SourceDestCheck": {"Value": false}}),
    );
    cloud.ok("DeleteNatGateway", json!({"NatGatewayId": nat}));
    cloud.ok("ReleaseAddress", json!({"AllocationId": allocation}));
    cloud.ok("DetachInternetGateway", json!({"InternetGatewayId": gateway, "VpcId": vpc}));
    assert_eq!(state(), "deleting");
    // The plane still has the address, so it is not allocated again yet.
    assert_eq!(cloud.ok("AllocateAddress", json!({}))["PublicIp"], "198.18.1.1");
    let spec = fixture.settle(&vpc).await.unwrap();
    assert_eq!(targets(&spec)[1].1, Target::Blackhole);
    assert_eq!(targets(&spec)[2].1, Target::Blackhole);
    assert_eq!(targets(&spec)[3].1, Target::Interface(middle));
    assert_eq!(state(), "deleted");
    assert_eq!(cloud.ok("AllocateAddress", json!({}))["PublicIp"], "198.18.1.0");
}

#[tokio::test]
async fn peering_is_active_once_both_networks_have_it() {
    let fixture = Fixture::new();
    let cloud = &fixture.cloud;
    let one = cloud.vpc();
    let other = cloud.text("CreateVpc", json!({"CidrBlock": "10.1.0.0/16"}), "/Vpc/VpcId");
    let pointer = "/VpcPeeringConnection/VpcPeeringConnectionId";
    let id = cloud.text("CreateVpcPeeringConnection", json!({"VpcId": one, "PeerVpcId": other}), pointer);
    let of = json!({"VpcPeeringConnectionId": id});
    let state = || {
        let all = cloud.ok("DescribeVpcPeeringConnections", json!({}));
        all["VpcPeeringConnections"][0]["Status"]["Code"].as_str().unwrap().to_owned()
    };
    assert!(fixture.settle(&one).await.unwrap().peerings.is_empty());
    assert_eq!(state(), "pending-acceptance");
    cloud.ok("AcceptVpcPeeringConnection", of.clone());
    assert_eq!(fixture.settle(&one).await.unwrap().peerings[0].network, other);
    assert_eq!(state(), "provisioning");
    fixture.settle(&other).await.unwrap();
    assert_eq!(state(), "active");

    // A rule names a group of the other VPC: its members' addresses belong to the specification.
    let interface = cloud.interface(&cloud.subnet(&other, "10.1.1.0/24"));
    let groups = cloud.ok("DescribeSecurityGroups", json!({}))["SecurityGroups"].clone();
    let default = |vpc: &str| {
        let mut of_vpc = groups.as_array().unwrap().iter().filter(|g| g["VpcId"] == vpc);
        of_vpc.next().unwrap()["GroupId"].as_str().unwrap().to_owned()
    };
    let (group, remote) = (default(&one), default(&other));
    let pair = json!([{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": remote}]}]);
    cloud.ok("AuthorizeSecurityGroupIngress", json!({"GroupId": group, "IpPermissions": pair}));
    let spec = fixture.settle(&one).await.unwrap();
    assert_eq!((&spec.remote_groups[0].name, spec.remote_groups[0].addresses.len()), (&remote, 1));
    cloud.ok("DeleteNetworkInterface", json!({"NetworkInterfaceId": interface}));
    assert!(fixture.settle(&one).await.unwrap().remote_groups[0].addresses.is_empty());

    cloud.ok("DeleteVpcPeeringConnection", of);
    assert_eq!(state(), "deleting");
    let spec = fixture.settle(&one).await.unwrap();
    assert!(spec.peerings.is_empty() && spec.remote_groups.is_empty());
    let rules = spec.groups.iter().flat_map(|g| &g.ingress);
    assert!(rules.into_iter().all(|r| r.peer != Peer::Group(remote.clone())), "a stale rule matches nothing");
    fixture.settle(&other).await.unwrap();
    assert_eq!(state(), "deleted");
}

#[tokio::test]
async fn plane_gets_the_rules_of_security_groups() {
    let fixture = Fixture::new();
    let cloud = &fixture.cloud;
    let vpc = cloud.vpc();
    let group = cloud.text(
        "CreateSecurityGroup",
        json!({"GroupName": "web", "Description": "d", "VpcId": vpc}),
        "/GroupId",
    );
    let permission = json!([
        {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 81, "PrefixListIds": [{"PrefixListId": "pl-75b1541c"}]},
        {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "UserIdGroupPairs": [{"GroupId": group}]},
        {"IpProtocol": "50", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
    ]);
    cloud.ok("AuthorizeSecurityGroupIngress", json!({"GroupId": group, "IpPermissions": permission}));
    let spec = fixture.settle(&vpc).await.unwrap();
    let group_spec = spec.groups.iter().find(|g| g.name == group).unwrap();
    assert_eq!(group_spec.egress.len(), 1);
    let has = |protocol, peer: Peer| {
        assert!(group_spec.ingress.iter().any(|r| r.protocol == protocol && r.peer == peer), "{peer:?}");
    };
    let ports = escale_network::Ports { first: 80, last: 81 };
    has(Protocol::Tcp(ports), Peer::Prefixes(vec!["198.18.0.1/32".parse().unwrap()]));
    has(Protocol::Icmp { kind: Some(8), code: None }, Peer::Group(group.clone()));
    has(Protocol::Number(50), Peer::Cidr("10.0.0.0/8".parse().unwrap()));
}

#[tokio::test]
async fn plane_gets_the_entries_of_network_acls_in_order() {
    let fixture = Fixture::new();
    let cloud = &fixture.cloud;
    let vpc = cloud.vpc();
    let subnet = cloud.subnet(&vpc, "10.0.1.0/24");
    let spec = fixture.settle(&vpc).await.unwrap();
    let default = vpc.replacen("vpc-", "acl-", 1);
    assert_eq!(spec.subnets[0].filter.as_ref(), Some(&default));
    let acl = cloud.text("CreateNetworkAcl", json!({"VpcId": vpc}), "/NetworkAcl/NetworkAclId");
    let mut entry = json!({"NetworkAclId": acl, "RuleAction": "deny", "Egress": true});
    for (number, protocol, cidr) in [
        (300, "17", json!({"CidrBlock": "10.0.0.0/8", "PortRange": {"From": 1, "To": 2}})),
        (100, "1", json!({"CidrBlock": "0.0.0.0/0", "IcmpTypeCode": {"Type": 8, "Code": -1}})),
        (200, "50", json!({"CidrBlock": "10.1.0.0/16"})),
        (150, "-1", json!({"Ipv6CidrBlock": "::/0"})),
    ] {
        let mut input = cidr;
        entry["RuleNumber"] = json!(number);
        entry["Protocol"] = json!(protocol);
        input.as_object_mut().unwrap().extend(entry.as_object().unwrap().clone());
        cloud.ok("CreateNetworkAclEntry", input);
    }
    let association = subnet.replacen("subnet-", "aclassoc-", 1);
    cloud.ok("ReplaceNetworkAclAssociation", json!({"AssociationId": association, "NetworkAclId": acl}));
    let spec = fixture.settle(&vpc).await.unwrap();
    assert_eq!(spec.subnets[0].filter.as_ref(), Some(&acl));
    let filter = spec.filters.iter().find(|f| f.name == acl).unwrap();
    let rule = |protocol, peer: &str| escale_network::FilterRule {
        allow: false,
        protocol,
        peer: peer.parse().unwrap(),
    };
    let ports = escale_network::Ports { first: 1, last: 2 };
    assert_eq!(
        filter.egress,
        [
            rule(Protocol::Icmp { kind: Some(8), code: None }, "0.0.0.0/0"),
            rule(Protocol::Number(50), "10.1.0.0/16"),
            rule(Protocol::Udp(ports), "10.0.0.0/8"),
        ]
    );
    assert!(filter.ingress.is_empty());
    // A new subnet has the default ACL.
    cloud.subnet(&vpc, "10.0.2.0/24");
    let spec = fixture.settle(&vpc).await.unwrap();
    assert_eq!(spec.subnets.iter().filter(|s| s.filter.as_ref() == Some(&default)).count(), 1);
}

#[tokio::test]
async fn new_daemon_forgets_lost_interfaces_and_applies_networks_again() {
    let fixture = Fixture::new();
    let cloud = &fixture.cloud;
    let vpc = cloud.vpc();
    let subnet = cloud.subnet(&vpc, "10.0.1.0/24");
    let interface = cloud.interface(&subnet);
    fixture.settle(&vpc).await;
    // A restart of the machine removes all networks.
    fixture.network.wipe().await.unwrap();
    let mut engine = escale_engine::Engine::new(cloud.store.clone(), cloud.clock.clone());
    let planes = super::Planes { network: fixture.network.clone(), internet_hosts: vec![] };
    super::start(&mut engine, &cloud.store, &cloud.cloud, planes).await.unwrap();
    assert!(!cloud.store.read().has::<InterfaceSeen>(&interface));
    let mut seen = cloud.store.subscribe(&["ec2_vpc_seen"]);
    while fixture.network.spec(&vpc).is_none() || !cloud.store.read().has::<InterfaceSeen>(&interface) {
        seen.changed().await;
    }
}
