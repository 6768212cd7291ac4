//! Checks that operations share.

use crate::{Error, default_vpc, error::Kind};
use escale_base::AwsError;
use escale_service::{Cx, Principal};
use escale_store::Row;
use escale_tables::ServicePrincipal;
use escale_tables::ec2::{
    Address, DhcpOptions, EgressOnlyInternetGateway, Endpoint, FlowLog, Group, GroupId, GroupRule, Interface,
    InternetGateway, NatGateway, NetworkAcl, RouteTable, Subnet, Vpc, VpcPeering,
};
use ipnet::{Ipv4Net, Ipv6Net};
use std::sync::Arc;

/// A row that requests name by its id.
pub(crate) trait Named: Row {
    const KIND: Kind;
}

macro_rules! named {
    ($($row:ty => $kind:ident),* $(,)?) => { $(impl Named for $row { const KIND: Kind = Kind::$kind; })* };
}
named! {
    Vpc => Vpc, Subnet => Subnet, RouteTable => RouteTable, InternetGateway => InternetGateway,
    NatGateway => NatGateway, Address => Allocation, Group => Group, GroupRule => Rule, Interface => Interface,
    Endpoint => Endpoint, NetworkAcl => NetworkAcl, DhcpOptions => DhcpOptions, FlowLog => FlowLog,
    EgressOnlyInternetGateway => EgressOnlyInternetGateway, VpcPeering => VpcPeering,
}

/// The row with this id, or AWS's error that it does not exist.
pub(crate) fn find<R: Named>(cx: &Cx<'_>, id: &str) -> Result<Arc<R>, Error> {
    cx.tx.get::<R>(id).ok_or_else(|| Error::NotFound(R::KIND, id.to_owned()))
}

/// The security group that a request names, by its id or, in the default VPC, by its name.
/// Source: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html>
pub(crate) fn group(cx: &Cx<'_>, id: Option<GroupId>, name: Option<String>) -> Result<Arc<Group>, Error> {
    let name = match (id, name) {
        (Some(id), _) => return find::<Group>(cx, id.as_str()),
        (None, None) => return Err(Error::Missing("groupId")),
        (None, Some(name)) => name,
    };
    let vpc = default_vpc::required(cx.tx)?;
    let found = cx.tx.scan::<Group>().find(|g| g.vpc == vpc.id && g.name == name);
    found.ok_or_else(|| {
        // The error puts this text into quotes: 'name' in the default VPC 'vpc-…'.
        let what = format!("{name}' in the default VPC '{}", vpc.id);
        Error::NotFound(Kind::Group, what)
    })
}

/// The rows that a describe operation names by id. Each must exist. Without ids, all rows of the table.
pub(crate) fn named<R: Named>(cx: &Cx<'_>, ids: &[impl AsRef<str>]) -> Result<Vec<Arc<R>>, Error> {
    if ids.is_empty() {
        return Ok(cx.tx.scan::<R>().collect());
    }
    let mut rows: Vec<Arc<R>> = ids.iter().map(|id| find::<R>(cx, id.as_ref())).collect::<Result<_, _>>()?;
    // Pages are cut by key, so the rows must be in the order of their table.
    rows.sort_by_key(|r| r.key());
    rows.dedup_by_key(|r| r.key());
    Ok(rows)
}

/// The prefix lengths that a VPC's and a subnet's block may have.
/// Source: <https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html>
pub(crate) const VPC_PREFIXES: std::ops::RangeInclusive<u8> = 16..=28;

/// Parses a CIDR block of a request. All operations use it, so that they store the canonical form without host bits, as AWS does
/// ("100.68.0.18/18 is modified to 100.68.0.0/18").
/// Sources: `CidrBlock` of <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpc.html>, `CidrIp` of
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html>
pub(crate) fn cidr(parameter: &'static str, text: &str) -> Result<Ipv4Net, Error> {
    let block: Result<Ipv4Net, _> = text.parse();
    let block = block.map_err(|_| Error::invalid(parameter, text, "This is not a valid CIDR block."))?;
    Ok(block.trunc())
}

/// As [`cidr`], for IPv6.
pub(crate) fn ipv6_cidr(parameter: &'static str, text: &str) -> Result<Ipv6Net, Error> {
    let block: Result<Ipv6Net, _> = text.parse();
    let block = block.map_err(|_| Error::invalid(parameter, text, "This is not a valid IPv6 CIDR block."))?;
    Ok(block.trunc())
}

/// The caller, if it is a service principal.
pub(crate) fn service(cx: &Cx<'_>) -> Option<ServicePrincipal> {
    match &cx.caller.principal {
        Principal::Service(name) => Some(name.as_str().into()),
        _ => None,
    }
}

/// Refuses a user's change to a resource that a service created for one of its own resources.
pub(crate) fn may_touch(cx: &Cx<'_>, requester: Option<&str>, what: &str) -> Result<(), Error> {
    match (requester, service(cx)) {
        (Some(owner), None) => Err(Error::NotPermitted(format!(
            "You are not allowed to manage '{what}'. It belongs to a resource of {owner}. Change that resource instead."
        ))),
        _ => Ok(()),
    }
}

/// The error for a parameter value that AWS supports and Escale does not.
pub(crate) fn refuse(what: impl std::fmt::Display) -> Error {
    Error::Aws(AwsError::not_supported(what))
}

/// As [`refuse`], with the fix.
pub(crate) fn refuse_with_hint(what: impl std::fmt::Display, hint: impl std::fmt::Display) -> Error {
    Error::Aws(AwsError::not_supported(what).hint(hint))
}
