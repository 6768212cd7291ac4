//! Checks and lookups that operations share.

use crate::{Error, error::invalid};
use escale_base::{Arn, Wire, ids, paging, paging::Page};
use escale_service::Cx;
use escale_store::{Image, Row};
use escale_tables::cloudfront::{
    Distribution, DistributionId, ETag, KeyGroup, KeyGroupId, OriginAccessControl, OriginAccessControlId,
    OriginAccessIdentity, OriginAccessIdentityId, PublicKey, PublicKeyId,
};
use std::sync::Arc;

pub(crate) fn distribution(cx: &Cx<'_>, id: &DistributionId) -> Result<Arc<Distribution>, Error> {
    cx.tx.get(id).ok_or_else(|| Error::NoDistribution(id.clone()))
}

pub(crate) fn origin_access_control(
    cx: &Cx<'_>,
    id: &OriginAccessControlId,
) -> Result<Arc<OriginAccessControl>, Error> {
    cx.tx.get(id).ok_or_else(|| Error::NoOriginAccessControl(id.clone()))
}

pub(crate) fn public_key(cx: &Cx<'_>, id: &PublicKeyId) -> Result<Arc<PublicKey>, Error> {
    cx.tx.get(id).ok_or_else(|| Error::NoPublicKey(id.clone()))
}

pub(crate) fn key_group(cx: &Cx<'_>, id: &KeyGroupId) -> Result<Arc<KeyGroup>, Error> {
    cx.tx.get(id).ok_or_else(|| Error::NoKeyGroup(id.clone()))
}

pub(crate) fn origin_access_identity(
    cx: &Cx<'_>,
    id: &OriginAccessIdentityId,
) -> Result<Arc<OriginAccessIdentity>, Error> {
    cx.tx.get(id).ok_or_else(|| Error::NoOriginAccessIdentity(id.clone()))
}

/// The URL of a resource, for the header Location.
pub(crate) fn location(cx: &Cx<'_>, path: &str) -> String {
    format!("http://{}/2020-05-31/{path}", cx.caller.host)
}

pub(crate) fn arn(cx: &Cx<'_>, resource: &str) -> String {
    Arn::new("cloudfront", "", &cx.config.account, resource).to_string()
}

/// A random id in the form of AWS's ids and ETags.
pub(crate) fn random_id(letter: char) -> String {
    format!("{letter}{}", ids::random_upper(13))
}

pub(crate) fn new_etag() -> ETag {
    ETag(random_id('E'))
}

/// Checks If-Match: the caller must know the current version to change or delete it.
pub(crate) fn matches(if_match: Option<&str>, etag: &ETag) -> Result<(), Error> {
    // Clients may send the ETag with its quotation marks.
    match if_match.map(|m| m.trim_matches('"')) {
        None | Some("") => Err(Error::IfMatchMissing),
        Some(seen) if *etag == seen || seen == "*" => Ok(()),
        Some(_) => Err(Error::Precondition),
    }
}

/// One page of a table, sorted by key.
pub(crate) fn page<R: Row>(
    image: &Image,
    keep: impl Fn(&R) -> bool,
    marker: Option<&str>,
    max: Option<&str>,
) -> Result<Page<Arc<R>>, Error> {
    page_of(image.scan::<R>().filter(|r| keep(r)), |r| r.key(), marker, max)
}

/// One page of items that are sorted by key.
pub(crate) fn page_of<T>(
    all: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> String,
    marker: Option<&str>,
    max: Option<&str>,
) -> Result<Page<T>, Error> {
    Ok(paging::page(all, key, marker.filter(|m| !m.is_empty()), page_size(max)?)?)
}

/// AWS's list without the marker of the current page.
#[derive(Wire)]
pub(crate) struct List<T: Wire> {
    next_marker: Option<String>,
    max_items: usize,
    quantity: usize,
    items: Option<Vec<T>>,
}

/// AWS's other list, with the marker of the current page and `IsTruncated`.
#[derive(Wire)]
pub(crate) struct MarkedList<T: Wire> {
    marker: String,
    next_marker: Option<String>,
    max_items: usize,
    is_truncated: bool,
    quantity: usize,
    items: Option<Vec<T>>,
}

impl<T: Wire> List<T> {
    pub(crate) fn of<R>(page: Page<R>, max: Option<&str>, item: impl Fn(&R) -> T) -> Result<List<T>, Error> {
        let items: Vec<T> = page.items.iter().map(item).collect();
        Ok(List {
            next_marker: page.next,
            max_items: page_size(max)?,
            quantity: items.len(),
            items: Some(items).filter(|i| !i.is_empty()),
        })
    }

    pub(crate) fn marked(self, marker: Option<String>) -> MarkedList<T> {
        MarkedList {
            marker: marker.unwrap_or_default(),
            is_truncated: self.next_marker.is_some(),
            next_marker: self.next_marker,
            max_items: self.max_items,
            quantity: self.quantity,
            items: self.items,
        }
    }
}

/// CloudFront has page sizes as strings.
pub(crate) fn page_size(max: Option<&str>) -> Result<usize, Error> {
    match max {
        None | Some("") => Ok(100),
        Some(text) => text
            .parse()
            .ok()
            .filter(|n| (1..=1000).contains(n))
            .ok_or_else(|| invalid(format!("MaxItems '{text}' must be a number from 1 to 1000"))),
    }
}
