//! Policies that cache behaviours refer to: AWS's managed ones (`policies/managed.rs`) and the account's own. One trait covers
//! the three kinds, because they differ only in their configurations.

mod convert;
mod managed;

pub(crate) use convert::{cache_settings, forwarded, response_headers};

use crate::{
    Error,
    error::{Kind, invalid},
    rules,
};
use escale_base::{AwsError, Timestamp, ids, paging::Page};
use escale_service::Cx;
use escale_store::{Image, Row};
use escale_tables::cloudfront::{
    CachePolicy, CachePolicyConfig, DefaultCacheBehavior, Distribution, ETag, OriginHeaderSelection,
    OriginRequestPolicy, OriginRequestPolicyConfig, ResponseHeadersPolicy, ResponseHeadersPolicyConfig,
};
use std::sync::Arc;

escale_base::choice! {
    /// The owner of a policy.
    pub(crate) enum PolicyType { Managed = "managed", Custom = "custom" }
}

/// One kind of policies.
pub(crate) trait Written: Row + Clone {
    type Config: Clone + PartialEq;
    const KIND: Kind;
    /// In URLs and ARNs.
    const PATH: &'static str;

    fn managed() -> &'static [Arc<Self>];
    fn new(id: String, config: Self::Config, etag: ETag, modified: Timestamp) -> Self;
    fn etag(&self) -> &ETag;
    fn name(config: &Self::Config) -> &str;
    fn config(&self) -> &Self::Config;
    fn check(config: &Self::Config) -> Result<(), Error>;
    fn used_by(behaviour: &DefaultCacheBehavior) -> Option<&str>;
    fn missing(id: &str) -> Error;
}

/// Implements [`Written`] for a row.
macro_rules! written {
    ($row:ident, $config:ty, $path:literal, $list:ident, $member:ident, $missing:ident, $check:path) => {
        impl Written for $row {
            type Config = $config;
            const KIND: Kind = Kind::$row;
            const PATH: &'static str = $path;

            fn managed() -> &'static [Arc<$row>] {
                &managed::$list
            }
            fn new(id: String, config: $config, etag: ETag, modified: Timestamp) -> $row {
                $row { id: id.into(), config, etag, modified }
            }
            fn etag(&self) -> &ETag {
                &self.etag
            }
            fn name(config: &$config) -> &str {
                &config.name
            }
            fn config(&self) -> &$config {
                &self.config
            }
            fn check(config: &$config) -> Result<(), Error> {
                $check(config)
            }
            fn used_by(behaviour: &DefaultCacheBehavior) -> Option<&str> {
                behaviour.$member.as_deref().filter(|id| !id.is_empty())
            }
            fn missing(id: &str) -> Error {
                Error::$missing(id.into())
            }
        }
    };
}
written!(CachePolicy, CachePolicyConfig, "cache-policy", CACHE, cache_policy_id, NoCachePolicy, check_cache);
written!(
    OriginRequestPolicy,
    OriginRequestPolicyConfig,
    "origin-request-policy",
    REQUEST,
    origin_request_policy_id,
    NoOriginRequestPolicy,
    check_request
);
written!(
    ResponseHeadersPolicy,
    ResponseHeadersPolicyConfig,
    "response-headers-policy",
    RESPONSE,
    response_headers_policy_id,
    NoResponseHeadersPolicy,
    convert::check_response
);

/// A managed policy, or one of the account.
pub(crate) fn find<P: Written>(image: &Image, id: &str) -> Option<Arc<P>> {
    P::managed().iter().find(|policy| policy.key() == id).cloned().or_else(|| image.get::<P>(id))
}

pub(crate) fn existing<P: Written>(image: &Image, id: &str) -> Result<Arc<P>, Error> {
    find(image, id).ok_or_else(|| P::missing(id))
}

pub(crate) fn create<P: Written>(cx: &mut Cx<'_>, config: P::Config) -> Result<P, Error> {
    P::check(&config)?;
    name_is_free::<P>(cx, None, &config)?;
    let row = P::new(ids::random_uuid(), config, rules::new_etag(), cx.now);
    cx.tx.put(row.clone());
    Ok(row)
}

pub(crate) fn update<P: Written>(
    cx: &mut Cx<'_>,
    id: &str,
    if_match: Option<&str>,
    config: P::Config,
) -> Result<P, Error> {
    let row = existing::<P>(cx.tx, id)?;
    if is_managed::<P>(id) {
        return Err(Error::IllegalUpdate(format!(
            "The {} {id} is managed by AWS. Create your own.",
            P::KIND
        )));
    }
    rules::matches(if_match, row.etag())?;
    P::check(&config)?;
    name_is_free::<P>(cx, Some(id), &config)?;
    let row = P::new(id.to_owned(), config, rules::new_etag(), cx.now);
    cx.tx.put(row.clone());
    Ok(row)
}

pub(crate) fn delete<P: Written>(cx: &mut Cx<'_>, id: &str, if_match: Option<&str>) -> Result<(), Error> {
    let row = existing::<P>(cx.tx, id)?;
    if is_managed::<P>(id) {
        return Err(Error::IllegalDelete(format!("The {} {id} is managed by AWS.", P::KIND)));
    }
    rules::matches(if_match, row.etag())?;
    let uses = |d: &Distribution| d.config.behaviours().any(|b| P::used_by(&b) == Some(id));
    if let Some(user) = cx.tx.scan::<Distribution>().find(|d| uses(d)) {
        return Err(Error::InUse { kind: P::KIND, id: id.to_owned(), by: user.id.to_string() });
    }
    cx.tx.delete::<P>(id);
    Ok(())
}

/// A policy in a list.
pub(crate) struct Listed<P> {
    pub kind: PolicyType,
    pub policy: Arc<P>,
}

/// One page of the policies, sorted by id.
pub(crate) fn page<P: Written>(
    image: &Image,
    kind: Option<PolicyType>,
    marker: Option<&str>,
    max: Option<&str>,
) -> Result<Page<Listed<P>>, Error> {
    let of = |kind: PolicyType| move |policy: Arc<P>| Listed { kind, policy };
    let managed = P::managed().iter().cloned().map(of(PolicyType::Managed));
    let mut all: Vec<Listed<P>> = managed.chain(image.scan::<P>().map(of(PolicyType::Custom))).collect();
    all.retain(|listed| kind.is_none_or(|kind| kind == listed.kind));
    all.sort_by_key(|listed| listed.policy.key());
    rules::page_of(all, |listed| listed.policy.key(), marker, max)
}

fn is_managed<P: Written>(id: &str) -> bool {
    P::managed().iter().any(|policy| policy.key() == id)
}

fn name_is_free<P: Written>(cx: &Cx<'_>, id: Option<&str>, config: &P::Config) -> Result<(), Error> {
    let name = P::name(config);
    let valid = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if name.is_empty() || name.len() > 128 || !name.bytes().all(valid) {
        return Err(invalid(format!(
            "The name '{name}' is not valid: it must have 1 to 128 letters, digits, '-' and '_'"
        )));
    }
    let mut taken = P::managed().iter().cloned().chain(cx.tx.scan::<P>());
    if taken.any(|other| P::name(other.config()) == name && id != Some(other.key().as_str())) {
        return Err(Error::Exists { kind: P::KIND, name: name.to_owned() });
    }
    Ok(())
}

fn check_cache(config: &CachePolicyConfig) -> Result<(), Error> {
    let ttl = convert::ttl_of(config);
    if ttl.min_s > ttl.max_s || ttl.default_s > ttl.max_s || ttl.min_s > ttl.default_s {
        return Err(invalid("MinTTL, DefaultTTL and MaxTTL must be in this order"));
    }
    let Some(key) = &config.parameters_in_cache_key_and_forwarded_to_origin else { return Ok(()) };
    let names = key.headers_config.headers.iter().flat_map(|h| &h.0).map(|n| n.as_str());
    headers_can_be_selected(names, "a cache key")?;
    convert::consistent(
        key.headers_config.header_behavior.as_str(),
        key.headers_config.headers.as_ref().map_or(0, |h| h.0.len()),
    )?;
    convert::check_cookies(&key.cookies_config)?;
    convert::check_query(&key.query_strings_config)
}

fn check_request(config: &OriginRequestPolicyConfig) -> Result<(), Error> {
    let headers = config.headers_config.headers.as_ref();
    if config.headers_config.header_behavior == OriginHeaderSelection::AllViewerAndWhitelistCloudFront {
        return Err(AwsError::not_supported("The HeaderBehavior 'allViewerAndWhitelistCloudFront'")
            .hint("Use 'allViewer'. The edge adds no CloudFront-* headers.")
            .into());
    }
    let names = headers.into_iter().flat_map(|h| &h.0).map(|n| n.as_str());
    headers_can_be_selected(names, "an origin request policy")?;
    convert::consistent(config.headers_config.header_behavior.as_str(), headers.map_or(0, |h| h.0.len()))?;
    convert::check_cookies(&config.cookies_config)?;
    convert::check_query(&config.query_strings_config)
}

/// The edge itself evaluates these headers of viewers, so none of them can be in a cache key or be forwarded by a policy.
pub(crate) fn headers_can_be_selected<'a>(
    names: impl Iterator<Item = &'a str>,
    place: &str,
) -> Result<(), Error> {
    const OWN: [&str; 12] = [
        "accept-encoding",
        "connection",
        "content-length",
        "cookie",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "range",
        "te",
        "transfer-encoding",
    ];
    for name in names {
        if http::HeaderName::try_from(name).is_err() || OWN.contains(&name.to_ascii_lowercase().as_str()) {
            return Err(invalid(format!("The header {name} cannot be in {place}")));
        }
        if name.to_ascii_lowercase().starts_with("cloudfront-") {
            return Err(AwsError::not_supported(format_args!("The header {name} in {place}"))
                .hint(
                    "The edge adds no CloudFront-* headers: it knows neither the viewer's place nor device.",
                )
                .into());
        }
    }
    Ok(())
}
