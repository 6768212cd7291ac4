//! The desired network (VPCs, subnets, routes, gateways, groups, interfaces) and its observed state.

mod address;
mod default_vpc;
mod dhcp;
mod endpoint;
mod flow_log;
mod gateway;
mod group;
mod interface;
mod ipv6;
mod network_acl;
mod peering;
mod route_table;
mod subnet;
mod vpc;

pub use address::{Address, AllocationId, AssociationId};
pub use default_vpc::{DefaultSubnet, DefaultVpc};
pub use dhcp::{DhcpOptions, DhcpOptionsAssociation, DhcpOptionsId, DomainName, NameServer};
pub use endpoint::{Endpoint, EndpointId};
pub use flow_log::{
    FlowLog, FlowLogDestination, FlowLogFailure, FlowLogFileFormat, FlowLogFormat, FlowLogGroup, FlowLogId,
    FlowLogOptions, FlowLogResource, FlowLogRole, FlowLogSeen, LogDestinationType, TrafficType,
};
pub use gateway::{InternetGateway, InternetGatewayId, NatFailure, NatGateway, NatGatewayId};
pub use group::{Group, GroupId, GroupRule, IpProtocol, Peer, PrefixListId, RuleId};
pub use interface::{Interface, InterfaceId, InterfaceSeen, InterfaceType};
pub use ipv6::{
    EgressOnlyInternetGateway, EgressOnlyInternetGatewayId, SubnetCidrAssociationId, SubnetIpv6Block,
    VpcCidrAssociationId, VpcIpv6Block,
};
pub use network_acl::{AclEntry, NetworkAcl, NetworkAclAssociation, NetworkAclAssociationId, NetworkAclId};
pub use peering::{PeeringDecision, PeeringSide, VpcPeering, VpcPeeringId, VpcPeeringSeen};
pub use route_table::{
    Route, RouteTable, RouteTableAssociation, RouteTableAssociationId, RouteTableId, Target,
};
pub use subnet::{Subnet, SubnetId, ZoneName};
pub use vpc::{Vpc, VpcId, VpcSeen, VpcTold};

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[
    TableDef::of::<Address>(),
    TableDef::of::<DefaultSubnet>(),
    TableDef::of::<DefaultVpc>(),
    TableDef::of::<DhcpOptions>(),
    TableDef::of::<DhcpOptionsAssociation>(),
    TableDef::of::<EgressOnlyInternetGateway>(),
    TableDef::of::<Endpoint>(),
    TableDef::of::<FlowLog>(),
    TableDef::of::<FlowLogSeen>(),
    TableDef::of::<Group>(),
    TableDef::of::<GroupRule>(),
    TableDef::of::<Interface>(),
    TableDef::of::<InterfaceSeen>(),
    TableDef::of::<InternetGateway>(),
    TableDef::of::<NatGateway>(),
    TableDef::of::<NetworkAcl>(),
    TableDef::of::<NetworkAclAssociation>(),
    TableDef::of::<RouteTable>(),
    TableDef::of::<Subnet>(),
    TableDef::of::<SubnetIpv6Block>(),
    TableDef::of::<Vpc>(),
    TableDef::of::<VpcIpv6Block>(),
    TableDef::of::<VpcPeering>(),
    TableDef::of::<VpcPeeringSeen>(),
    TableDef::of::<VpcSeen>(),
    TableDef::of::<VpcTold>(),
];
