//! EC2's errors. Codes and HTTP statuses are defined only here.
//!
//! The model declares no errors; the codes are those of AWS's documentation:
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>

use crate::status::PEERING_FAILED;
use escale_base::{AwsError, ErrorKind};
use ipnet::IpNet;
use std::net::Ipv4Addr;

/// The kinds of resources that a request names by id, for "does not exist" errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Vpc,
    Subnet,
    RouteTable,
    RouteTableAssociation,
    InternetGateway,
    NatGateway,
    Allocation,
    AddressAssociation,
    Group,
    Rule,
    Interface,
    Endpoint,
    PrefixList,
    NetworkAcl,
    NetworkAclAssociation,
    VpcCidrAssociation,
    FlowLog,
    SubnetCidrAssociation,
    EgressOnlyInternetGateway,
    VpcPeering,
    Instance,
    DhcpOptions,
    VpnGateway,
    Region,
    Zone,
    /// A resource of any type, in the tag operations.
    Any,
}

impl Kind {
    /// The error code, and the name of the kind in the message.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Kind::Vpc => ("InvalidVpcID.NotFound", "vpc ID"),
            Kind::Subnet => ("InvalidSubnetID.NotFound", "subnet ID"),
            Kind::RouteTable => ("InvalidRouteTableID.NotFound", "routeTable ID"),
            Kind::RouteTableAssociation => ("InvalidAssociationID.NotFound", "association ID"),
            Kind::InternetGateway => ("InvalidInternetGatewayID.NotFound", "internetGateway ID"),
            Kind::NatGateway => ("NatGatewayNotFound", "NAT gateway"),
            Kind::Allocation => ("InvalidAllocationID.NotFound", "allocation ID"),
            Kind::AddressAssociation => ("InvalidAssociationID.NotFound", "association ID"),
            Kind::Group => ("InvalidGroup.NotFound", "security group"),
            Kind::Rule => ("InvalidSecurityGroupRuleId.NotFound", "security group rule ID"),
            Kind::Interface => ("InvalidNetworkInterfaceID.NotFound", "networkInterface ID"),
            Kind::Endpoint => ("InvalidVpcEndpointId.NotFound", "Vpc Endpoint Id"),
            Kind::PrefixList => ("InvalidPrefixListID.NotFound", "prefix list ID"),
            Kind::NetworkAcl => ("InvalidNetworkAclID.NotFound", "networkAcl ID"),
            Kind::NetworkAclAssociation => ("InvalidAssociationID.NotFound", "association ID"),
            Kind::FlowLog => ("InvalidFlowLogId.NotFound", "flow log ID"),
            Kind::VpcCidrAssociation => {
                ("InvalidVpcCidrBlockAssociationID.NotFound", "vpc CIDR block association ID")
            }
            Kind::SubnetCidrAssociation => {
                ("InvalidSubnetCidrBlockAssociationID.NotFound", "subnet CIDR block association ID")
            }
            Kind::EgressOnlyInternetGateway => {
                ("InvalidGatewayID.NotFound", "egress only internet gateway ID")
            }
            Kind::VpcPeering => ("InvalidVpcPeeringConnectionID.NotFound", "vpcPeeringConnection ID"),
            Kind::Instance => ("InvalidInstanceID.NotFound", "instance ID"),
            Kind::DhcpOptions => ("InvalidDhcpOptionsID.NotFound", "dhcpOptions ID"),
            Kind::VpnGateway => ("InvalidVpnGatewayID.NotFound", "vpnGateway ID"),
            Kind::Region => ("InvalidParameterValue", "region"),
            Kind::Zone => ("InvalidParameterValue", "availability zone"),
            Kind::Any => ("InvalidID", "ID"),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("The {what} '{id}' does not exist", what = .0.words().1, id = .1)]
    NotFound(Kind, String),
    /// The message lists the dependencies.
    #[error("{0}")]
    InUse(String),
    /// Of a rule in a template, which has a property for each kind of peer.
    #[error("A security group rule has one peer: a CIDR block, a security group or a prefix list")]
    SeveralPeers,
    #[error("The CIDR '{0}' is invalid: the prefix length of a VPC's block is 16 to 28.")]
    VpcRange(String),
    #[error("The CIDR '{0}' is invalid.{1}")]
    SubnetRange(String, String),
    #[error("The CIDR '{0}' conflicts with another subnet ({1} has {2})")]
    SubnetConflict(IpNet, String, IpNet),
    #[error(
        "There are not enough free addresses in subnet '{0}' to satisfy the requested number of interfaces."
    )]
    SubnetFull(String),
    #[error("There is an existing Flow Log with the same configuration and log destination.")]
    FlowLogExists,
    #[error("LogDestination: {0} does not exist. Create the bucket first.")]
    NoLogBucket(String),
    #[error(
        "Access Denied for LogDestination: {bucket}. Please check LogDestination permissions: the bucket's policy must allow {service} to \
         put objects with the ACL bucket-owner-full-control."
    )]
    LogBucketDenied { bucket: String, service: &'static str },
    #[error("{0}")]
    AddressTaken(String),
    #[error("{0}: All public addresses are in use. Release an Elastic IP address.")]
    NoPublicAddress(&'static str),
    #[error("The address '{0}' does not belong to you: no Elastic IP has it.")]
    NoAddress(Ipv4Addr),
    #[error(
        "resource {0} is already associated with {1}. Set AllowReassociation to replace the association, or disassociate it first."
    )]
    AlreadyAssociated(String, String),
    #[error("No default VPC for this user. Name a VPC or a subnet in the request, or call CreateDefaultVpc.")]
    NoDefaultVpc,
    #[error("A Default VPC already exists for this account in this region: {0}")]
    DefaultVpcExists(String),
    #[error("'{0}' is already the default subnet in {1}.")]
    DefaultSubnetExists(String, String),
    #[error("The default VPC {0} has no free /20 block for a default subnet.")]
    DefaultVpcFull(String),
    #[error("{0}")]
    GatewayNotAttached(String),
    #[error("A VPC peering connection between {1} and {2} already exists: {0}")]
    PeeringExists(String, String, String),
    #[error("Invalid state transition for {0}, attempting to transition from {1} to {2}")]
    Transition(String, &'static str, &'static str),
    /// Of a stack. The API reports it as a state.
    #[error(
        "The VPC peering connection failed. {PEERING_FAILED}. Use two VPCs of this region whose CIDR blocks do not overlap."
    )]
    PeeringFailed,
    #[error("{0}")]
    RouteExists(String),
    #[error("no route with destination-cidr-block {1} in route table {0}")]
    NoRoute(String, IpNet),
    #[error("Network {0} is already attached to {1}")]
    AlreadyAttached(String, String),
    #[error("The security group '{0}' already exists for VPC '{1}'")]
    DuplicateGroup(String, String),
    #[error("the specified rule \"{0}\" already exists")]
    DuplicateRule(String),
    #[error("The specified rule does not exist in this security group: {0}")]
    NoRule(String),
    #[error("The network acl entry identified by {0} already exists.")]
    DuplicateEntry(u16),
    #[error("The network acl '{0}' has no {1} entry with the rule number {2}.")]
    NoEntry(String, &'static str, i32),
    #[error("{1}")]
    TooMany(Limit, String),
    #[error("{0}")]
    NotPermitted(String),
    #[error("{0}")]
    InterfaceInUse(String),
    #[error("{0}")]
    CannotDelete(String),
    #[error("{0}")]
    WrongVpc(String),
    #[error("Value ({value}) for parameter {parameter} is invalid. {why}")]
    Invalid { parameter: &'static str, value: String, why: String },
    #[error("{0}")]
    Combination(String),
    #[error("The request must contain the parameter {0}")]
    Missing(&'static str),
    #[error(transparent)]
    Aws(#[from] AwsError),
}

/// AWS's default quotas: <https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    RulesPerGroup,
    GroupsPerInterface,
    RoutesPerTable,
    EntriesPerAcl,
    PeeringsPerVpc,
    Tags,
}

impl Limit {
    pub(crate) fn max(self) -> usize {
        match self {
            Limit::RulesPerGroup => 60,
            // AWS raises this quota on request, up to 16.
            Limit::GroupsPerInterface => 5,
            Limit::RoutesPerTable => 500,
            // In each direction, with the last entry, which denies all.
            Limit::EntriesPerAcl => 20,
            Limit::PeeringsPerVpc => 50,
            Limit::Tags => 50,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Limit::RulesPerGroup => "RulesPerSecurityGroupLimitExceeded",
            Limit::GroupsPerInterface => "SecurityGroupsPerInterfaceLimitExceeded",
            Limit::RoutesPerTable => "RouteLimitExceeded",
            Limit::EntriesPerAcl => "NetworkAclEntryLimitExceeded",
            Limit::PeeringsPerVpc => "ActiveVpcPeeringConnectionPerVpcLimitExceeded",
            Limit::Tags => "TagLimitExceeded",
        }
    }
}

impl Error {
    pub(crate) fn invalid(parameter: &'static str, value: impl ToString, why: impl Into<String>) -> Error {
        Error::Invalid { parameter, value: value.to_string(), why: why.into() }
    }
}

impl From<Error> for AwsError {
    fn from(error: Error) -> AwsError {
        let (kind, code) = match &error {
            Error::NotFound(kind, _) => (ErrorKind::NotFound, kind.words().0),
            Error::InUse(_) => (ErrorKind::InUse, "DependencyViolation"),
            Error::SeveralPeers => (ErrorKind::Invalid, "ValidationError"),
            Error::VpcRange(_) => (ErrorKind::Invalid, "InvalidVpc.Range"),
            Error::SubnetRange(..) => (ErrorKind::Invalid, "InvalidSubnet.Range"),
            Error::SubnetConflict(..) => (ErrorKind::Invalid, "InvalidSubnet.Conflict"),
            Error::SubnetFull(_) => (ErrorKind::LimitExceeded, "InsufficientFreeAddressesInSubnet"),
            Error::AddressTaken(_) => (ErrorKind::InUse, "InvalidIPAddress.InUse"),
            Error::NoPublicAddress(_) => (ErrorKind::LimitExceeded, "InsufficientAddressCapacity"),
            Error::NoAddress(_) => (ErrorKind::NotFound, "InvalidAddress.NotFound"),
            Error::AlreadyAssociated(..) => (ErrorKind::AlreadyExists, "Resource.AlreadyAssociated"),
            Error::NoDefaultVpc => (ErrorKind::Invalid, "VPCIdNotSpecified"),
            Error::DefaultVpcExists(_) => (ErrorKind::AlreadyExists, "DefaultVpcAlreadyExists"),
            Error::DefaultSubnetExists(..) => {
                (ErrorKind::AlreadyExists, "DefaultSubnetAlreadyExistsInAvailabilityZone")
            }
            Error::DefaultVpcFull(_) => (ErrorKind::LimitExceeded, "InsufficientFreeAddressesInSubnet"),
            Error::GatewayNotAttached(_) => (ErrorKind::Invalid, "Gateway.NotAttached"),
            Error::PeeringExists(..) => (ErrorKind::AlreadyExists, "VpcPeeringConnectionAlreadyExists"),
            Error::Transition(..) => (ErrorKind::Invalid, "InvalidStateTransition"),
            Error::PeeringFailed => (ErrorKind::Invalid, "InvalidRequest"),
            Error::RouteExists(_) => (ErrorKind::AlreadyExists, "RouteAlreadyExists"),
            Error::NoRoute(..) => (ErrorKind::NotFound, "InvalidRoute.NotFound"),
            Error::AlreadyAttached(..) => (ErrorKind::AlreadyExists, "Resource.AlreadyAssociated"),
            Error::NoLogBucket(_) => (ErrorKind::NotFound, "LogDestinationNotFoundException"),
            Error::LogBucketDenied { .. } => (ErrorKind::Denied, "LogDestinationPermissionIssueException"),
            Error::FlowLogExists => (ErrorKind::AlreadyExists, "FlowLogAlreadyExists"),
            Error::DuplicateGroup(..) => (ErrorKind::AlreadyExists, "InvalidGroup.Duplicate"),
            Error::DuplicateRule(_) => (ErrorKind::AlreadyExists, "InvalidPermission.Duplicate"),
            Error::NoRule(_) => (ErrorKind::NotFound, "InvalidPermission.NotFound"),
            Error::DuplicateEntry(_) => (ErrorKind::AlreadyExists, "NetworkAclEntryAlreadyExists"),
            Error::NoEntry(..) => (ErrorKind::NotFound, "InvalidNetworkAclEntry.NotFound"),
            Error::TooMany(limit, _) => (ErrorKind::LimitExceeded, limit.code()),
            Error::NotPermitted(_) => (ErrorKind::Invalid, "OperationNotPermitted"),
            Error::InterfaceInUse(_) => (ErrorKind::InUse, "InvalidNetworkInterface.InUse"),
            Error::CannotDelete(_) => (ErrorKind::Invalid, "CannotDelete"),
            Error::WrongVpc(_) => (ErrorKind::Invalid, "InvalidParameter"),
            Error::Invalid { .. } => (ErrorKind::Invalid, "InvalidParameterValue"),
            Error::Combination(_) => (ErrorKind::Invalid, "InvalidParameterCombination"),
            Error::Missing(_) => (ErrorKind::Invalid, "MissingParameter"),
            Error::Aws(e) => return e.clone(),
        };
        AwsError::new(kind, code, 400, error.to_string())
    }
}
