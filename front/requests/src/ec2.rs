//! EC2: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Operations.html>

use escale_base::Wire;
use escale_tables::ec2::{AllocationId, AssociationId, GroupId, InterfaceId, InterfaceType, SubnetId, VpcId};
use std::net::Ipv4Addr;

crate::requests! { "ec2";
    AllocateAddress => AllocatedAddress,
    AssociateAddress => AssociatedAddress,
    AuthorizeSecurityGroupEgress => (),
    AuthorizeSecurityGroupIngress => (),
    CreateNetworkInterface => CreatedNetworkInterface,
    CreateSecurityGroup => CreatedSecurityGroup,
    DeleteNetworkInterface => (),
    DeleteSecurityGroup => (),
    DisassociateAddress => (),
    ModifyNetworkInterfaceAttribute => (),
    ReleaseAddress => (),
    RevokeSecurityGroupEgress => (),
}

#[derive(Clone, Debug, Wire)]
pub struct CreateNetworkInterface {
    pub subnet_id: SubnetId,
    pub description: String,
    /// Without groups, EC2 uses the VPC's default group.
    pub groups: Option<Vec<GroupId>>,
    pub interface_type: Option<InterfaceType>,
    pub private_ip_address: Option<String>,
}

#[derive(Clone, Debug, Wire)]
pub struct CreatedNetworkInterface {
    pub network_interface: NetworkInterface,
}

#[derive(Clone, Debug, Wire)]
pub struct NetworkInterface {
    pub network_interface_id: InterfaceId,
    pub private_ip_address: Ipv4Addr,
}

#[derive(Clone, Debug, Wire)]
pub struct ModifyNetworkInterfaceAttribute {
    pub network_interface_id: InterfaceId,
    pub groups: Vec<GroupId>,
}

#[derive(Clone, Debug, Wire)]
pub struct DeleteNetworkInterface {
    pub network_interface_id: InterfaceId,
}

/// Allocates a public address for the account.
#[derive(Clone, Debug, Default, Wire)]
pub struct AllocateAddress {}

#[derive(Clone, Debug, Wire)]
pub struct AllocatedAddress {
    pub allocation_id: AllocationId,
    pub public_ip: Ipv4Addr,
}

#[derive(Clone, Debug, Wire)]
pub struct AssociateAddress {
    pub allocation_id: AllocationId,
    pub network_interface_id: InterfaceId,
}

#[derive(Clone, Debug, Wire)]
pub struct AssociatedAddress {
    pub association_id: AssociationId,
}

#[derive(Clone, Debug, Wire)]
pub struct DisassociateAddress {
    pub association_id: AssociationId,
}

#[derive(Clone, Debug, Wire)]
pub struct ReleaseAddress {
    pub allocation_id: AllocationId,
}

#[derive(Clone, Debug, Wire)]
pub struct CreateSecurityGroup {
    pub group_name: String,
    pub description: String,
    pub vpc_id: VpcId,
}

#[derive(Clone, Debug, Wire)]
pub struct CreatedSecurityGroup {
    pub group_id: GroupId,
}

#[derive(Clone, Debug, Wire)]
pub struct DeleteSecurityGroup {
    pub group_id: GroupId,
}

#[derive(Clone, Debug, Wire)]
pub struct RevokeSecurityGroupEgress {
    pub group_id: GroupId,
    pub ip_permissions: Vec<IpPermission>,
}

#[derive(Clone, Debug, Wire)]
pub struct AuthorizeSecurityGroupEgress {
    pub group_id: GroupId,
    pub ip_permissions: Vec<IpPermission>,
}

#[derive(Clone, Debug, Wire)]
pub struct AuthorizeSecurityGroupIngress {
    pub group_id: GroupId,
    pub ip_permissions: Vec<IpPermission>,
}

#[derive(Clone, Debug, Wire)]
pub struct IpPermission {
    /// `tcp`, or `-1` for every protocol.
    pub ip_protocol: String,
    pub from_port: Option<u16>,
    pub to_port: Option<u16>,
    pub ip_ranges: Vec<IpRange>,
    pub user_id_group_pairs: Vec<UserIdGroupPair>,
}

#[derive(Clone, Debug, Wire)]
pub struct IpRange {
    pub cidr_ip: String,
}

#[derive(Clone, Debug, Wire)]
pub struct UserIdGroupPair {
    pub group_id: GroupId,
}
