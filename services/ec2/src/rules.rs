//! Checks that operations share.

use crate::{Error, error::Kind};
use escale_base::AwsError;
use escale_service::{Cx, Principal};
use escale_store::Row;
use escale_tables::ec2::{
    Address, Endpoint, Group, GroupRule, Interface, InternetGateway, NatGateway, RouteTable, Subnet, Vpc,
};
use ipnet::Ipv4Net;
use std::sync::Arc;

/// A row that an id can name.
pub(crate) trait Named: Row {
    const KIND: Kind;
}

macro_rules! named {
    ($($row:ty => $kind:ident),* $(,)?) => { $(impl Named for $row { const KIND: Kind = Kind::$kind; })* };
}
named! {
    Vpc => Vpc, Subnet => Subnet, RouteTable => RouteTable, InternetGateway => InternetGateway,
    NatGateway => NatGateway, Address => Allocation, Group => Group, GroupRule => Rule, Interface => Interface,
    Endpoint => Endpoint,
}

/// The row with this id, or AWS's error that there is none.
pub(crate) fn find<R: Named>(cx: &Cx<'_>, id: &str) -> Result<Arc<R>, Error> {
    cx.tx.get::<R>(id).ok_or_else(|| Error::NotFound(R::KIND, id.to_owned()))
}

/// Rows that a describe operation was asked for by id: all there must be; no id stands for all rows.
pub(crate) fn named<R: Named>(cx: &Cx<'_>, ids: &[impl AsRef<str>]) -> Result<Vec<Arc<R>>, Error> {
    if ids.is_empty() {
        return Ok(cx.tx.scan::<R>().collect());
    }
    let mut rows: Vec<Arc<R>> = ids.iter().map(|id| find::<R>(cx, id.as_ref())).collect::<Result<_, _>>()?;
    rows.sort_by_key(|r| r.key());
    rows.dedup_by_key(|r| r.key());
    Ok(rows)
}

/// A block as AWS takes it: well-formed, and between /16 and /28.
pub(crate) fn cidr(parameter: &'static str, text: &str) -> Result<Ipv4Net, Error> {
    let block = any_cidr(parameter, text)?;
    if !(16..=28).contains(&block.prefix_len()) || block.trunc() != block {
        return Err(Error::VpcRange(text.to_owned()));
    }
    Ok(block)
}

/// Any block, host bits cut off as AWS does for routes and rules.
pub(crate) fn any_cidr(parameter: &'static str, text: &str) -> Result<Ipv4Net, Error> {
    text.parse().map_err(|_| Error::invalid(parameter, text, "This is not a valid CIDR block."))
}

/// The service principal that calls, if one does.
pub(crate) fn service(cx: &Cx<'_>) -> Option<String> {
    match &cx.caller.principal {
        Principal::Service(name) => Some(name.clone()),
        _ => None,
    }
}

/// What a service made for a resource of its own, only services touch.
pub(crate) fn may_touch(cx: &Cx<'_>, requester: Option<&str>, what: &str) -> Result<(), Error> {
    match (requester, service(cx)) {
        (Some(owner), None) => Err(Error::NotPermitted(format!(
            "You are not allowed to manage '{what}': it belongs to a resource of {owner}; change that resource."
        ))),
        _ => Ok(()),
    }
}

/// A member that AWS knows and that this value asks to be enacted, which Escale does not.
pub(crate) fn refuse(what: impl std::fmt::Display) -> Error {
    Error::Aws(AwsError::not_supported(what))
}
