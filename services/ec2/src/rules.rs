//! Checks that operations share.

use crate::Error;
use escale_service::Cx;
use escale_tables::ec2::{Vpc, VpcId};
use ipnet::Ipv4Net;
use std::sync::Arc;

pub(crate) fn vpc(cx: &Cx<'_>, id: &VpcId) -> Result<Arc<Vpc>, Error> {
    cx.tx.get::<Vpc>(id.as_str()).ok_or_else(|| Error::NoVpc(id.clone()))
}

/// A block as AWS takes it: well-formed, and between /16 and /28.
pub(crate) fn cidr(parameter: &'static str, text: &str) -> Result<Ipv4Net, Error> {
    let block: Ipv4Net = text.parse().map_err(|_| Error::Invalid {
        parameter,
        value: text.to_owned(),
        why: "This is not a valid CIDR block.".to_owned(),
    })?;
    if !(16..=28).contains(&block.prefix_len()) || block.trunc() != block {
        return Err(Error::VpcRange(text.to_owned()));
    }
    Ok(block)
}
