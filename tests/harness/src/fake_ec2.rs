//! The operations of EC2 that other services call, on EC2's own tables.

use crate::Harness;
use escale_base::{AwsError, ErrorKind, Timestamp};
use escale_requests::ec2 as requests;
use escale_service::{Cx, Entry, Operation, Principal, Service};
use escale_tables::{ServicePrincipal, ec2::*};
use std::{net::Ipv4Addr, path::PathBuf};

/// A fake of EC2. A new interface is available at once. Rules of security groups are accepted and not stored.
pub struct FakeEc2;

/// Rows that a test needs before it can create an interface.
impl FakeEc2 {
    /// A VPC 10.0.0.0/16 with an Internet gateway and its default security group.
    pub fn vpc(harness: &Harness) -> VpcId {
        let id = VpcId::random();
        let vpc = Vpc {
            id: id.clone(),
            cidr: "10.0.0.0/16".parse().unwrap(),
            dns_support: true,
            dns_hostnames: true,
            tags: vec![],
            created: Timestamp(0),
        };
        let gateway =
            InternetGateway { id: InternetGatewayId::random(), vpc: Some(id.clone()), tags: vec![] };
        let group = Group {
            id: GroupId::random(),
            vpc: id.clone(),
            name: "default".into(),
            description: String::new(),
            tags: vec![],
        };
        harness.write(|tx| {
            tx.put(vpc);
            tx.put(gateway);
            tx.put(group);
        });
        id
    }

    /// The next /24 of a VPC, in the zone with this letter.
    pub fn subnet(harness: &Harness, vpc: &VpcId, letter: &str) -> SubnetId {
        let id = SubnetId::random();
        harness.write(|tx| {
            let number = tx.scan::<Subnet>().count();
            tx.put(Subnet {
                id: id.clone(),
                vpc: vpc.clone(),
                cidr: format!("10.0.{number}.0/24").parse().unwrap(),
                zone: format!("eu-west-3{letter}").into(),
                map_public_ip: false,
                route_table: None,
                tags: vec![],
                created: Timestamp(0),
            });
        });
        id
    }
}

/// Implements the operations, `Request => Answer`, and lists them.
macro_rules! operations {
    ($($name:ident => $answer:ty, |$cx:ident, $input:ident| $run:block)*) => {
        $(
            struct $name;
            impl Operation for $name {
                type Input = requests::$name;
                type Output = $answer;
                type Error = AwsError;
                fn run($cx: &mut Cx<'_>, $input: Self::Input) -> Result<$answer, AwsError> $run
            }
        )*
        impl Service for FakeEc2 {
            fn id(&self) -> &'static str {
                "ec2"
            }
            fn operations(&self) -> Vec<Entry> {
                vec![$(Entry::of::<$name>(stringify!($name))),*]
            }
        }
    };
}

operations! {
    CreateNetworkInterface => requests::CreatedNetworkInterface, |cx, input| {
        let subnet = cx.tx.get::<Subnet>(input.subnet_id.as_str()).ok_or_else(|| missing(&input.subnet_id))?;
        let id = InterfaceId::random();
        let private_ip = free_address(cx, &subnet);
        cx.tx.put(Interface {
            id: id.clone(),
            vpc: subnet.vpc.clone(),
            subnet: subnet.id.clone(),
            zone: subnet.zone.clone(),
            private_ip,
            auto_public_ip: None,
            groups: input.groups.unwrap_or_default(),
            source_dest_check: true,
            description: input.description,
            interface_type: input.interface_type.unwrap_or(InterfaceType::Interface),
            requester: requester(cx),
            tags: vec![],
            created: cx.now,
        });
        cx.tx.put(InterfaceSeen {
            id: id.clone(),
            vpc: subnet.vpc.clone(),
            public_ip: None,
            namespace: PathBuf::from(format!("/nonexistent/{id}")),
            at: cx.now,
        });
        let network_interface =
            requests::NetworkInterface { network_interface_id: id, private_ip_address: private_ip };
        Ok(requests::CreatedNetworkInterface { network_interface })
    }

    ModifyNetworkInterfaceAttribute => (), |cx, input| {
        let id = input.network_interface_id;
        let changed = cx.tx.update(id.as_str(), |interface: &mut Interface| interface.groups = input.groups);
        changed.map(|_| ()).ok_or_else(|| missing(&id))
    }

    DeleteNetworkInterface => (), |cx, input| {
        let id = input.network_interface_id;
        cx.tx.delete::<InterfaceSeen>(id.as_str());
        if cx.tx.delete::<Interface>(id.as_str()) { Ok(()) } else { Err(missing(&id)) }
    }

    AllocateAddress => requests::AllocatedAddress, |cx, _input| {
        let number = cx.tx.scan::<Address>().count() as u32;
        let public_ip = Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 18, 1, 0)) + number);
        let id = AllocationId::random();
        let requester = requester(cx);
        cx.tx.put(Address { id: id.clone(), public_ip, association: None, requester, tags: vec![] });
        Ok(requests::AllocatedAddress { allocation_id: id, public_ip })
    }

    AssociateAddress => requests::AssociatedAddress, |cx, input| {
        let id = AssociationId::random();
        let association = Some((id.clone(), input.network_interface_id));
        let changed = cx.tx.update(input.allocation_id.as_str(), |a: &mut Address| a.association = association);
        changed.ok_or_else(|| missing(&input.allocation_id))?;
        Ok(requests::AssociatedAddress { association_id: id })
    }

    DisassociateAddress => (), |cx, input| {
        let id = input.association_id;
        let has_it = |a: &Address| a.association.as_ref().is_some_and(|(association, _)| *association == id);
        let address = cx.tx.scan::<Address>().find(|a| has_it(a)).ok_or_else(|| missing(&id))?;
        cx.tx.update(address.id.as_str(), |a: &mut Address| a.association = None);
        Ok(())
    }

    ReleaseAddress => (), |cx, input| {
        let id = input.allocation_id;
        if cx.tx.delete::<Address>(id.as_str()) { Ok(()) } else { Err(missing(&id)) }
    }

    CreateSecurityGroup => requests::CreatedSecurityGroup, |cx, input| {
        let id = GroupId::random();
        cx.tx.put(Group {
            id: id.clone(),
            vpc: input.vpc_id,
            name: input.group_name,
            description: input.description,
            tags: vec![],
        });
        Ok(requests::CreatedSecurityGroup { group_id: id })
    }

    AuthorizeSecurityGroupEgress => (), |cx, input| { group_exists(cx, &input.group_id) }

    AuthorizeSecurityGroupIngress => (), |cx, input| { group_exists(cx, &input.group_id) }

    RevokeSecurityGroupEgress => (), |cx, input| { group_exists(cx, &input.group_id) }

    DeleteSecurityGroup => (), |cx, input| {
        let id = input.group_id;
        if cx.tx.delete::<Group>(id.as_str()) { Ok(()) } else { Err(missing(&id)) }
    }
}

fn missing(id: &impl std::fmt::Display) -> AwsError {
    AwsError::new(ErrorKind::NotFound, "NotFound", 400, format!("{id} does not exist"))
}

fn group_exists(cx: &Cx<'_>, id: &GroupId) -> Result<(), AwsError> {
    if cx.tx.has::<Group>(id.as_str()) { Ok(()) } else { Err(missing(id)) }
}

/// The service that calls. Users cannot delete what it creates.
fn requester(cx: &Cx<'_>) -> Option<ServicePrincipal> {
    match &cx.caller.principal {
        Principal::Service(name) => Some(name.as_str().into()),
        _ => None,
    }
}

/// The lowest free address. AWS reserves the first four.
fn free_address(cx: &Cx<'_>, subnet: &Subnet) -> Ipv4Addr {
    let taken: Vec<_> =
        cx.tx.scan::<Interface>().filter(|i| i.subnet == subnet.id).map(|i| i.private_ip).collect();
    let mut addresses = subnet.cidr.hosts().skip(3);
    addresses.find(|address| !taken.contains(address)).unwrap()
}
