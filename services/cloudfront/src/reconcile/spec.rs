//! Converts a distribution's rows to one specification for the cdn plane.

use crate::{
    check::{bucket_of, hosts, identity_of, trusted},
    policies, viewer,
};
use escale_cdn::spec::{
    Behaviour, DistributionSpec, ErrorResponse, Origin, OriginGroup, OriginProtocol, Pick, TrustedKey,
    ViewerProtocol,
};
use escale_service::Config;
use escale_store::Image;
use escale_tables::cloudfront::{
    AllowedMethods, CachePolicy, CustomErrorResponse, DefaultCacheBehavior, Distribution, KeyGroup,
    OriginAccessControl, OriginProtocolPolicy, OriginRequestPolicy, PublicKey, PublicKeyId,
    ResponseHeadersPolicy, SigningBehavior, ViewerProtocolPolicy,
};
use escale_tables::{Fingerprint, cloudfront as rows};
use http::Method;
use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
};

/// AWS's default for the seconds that an error is cached.
const ERROR_TTL_S: u64 = 10;

pub(super) fn of(image: &Image, row: &Distribution) -> DistributionSpec {
    let config = &row.config;
    let behaviours = config.cache_behaviors.iter().flat_map(|b| &b.0);
    let behaviours = behaviours.map(|b| (b.path_pattern.clone(), behaviour(image, &b.without_pattern())));
    DistributionSpec {
        id: row.id.to_string(),
        hostnames: hosts(row),
        default_root: config.default_root_object.clone().filter(|r| !r.is_empty()),
        behaviours: behaviours.collect(),
        default: behaviour(image, &config.default_cache_behavior),
        origins: config.origins.0.iter().map(|o| origin(image, o)).collect(),
        groups: config.groups().filter_map(group).collect(),
        log: crate::logs::enabled(row).is_some(),
        errors: config.custom_error_responses.iter().flat_map(|e| &e.0).map(error).collect(),
        tls: viewer::tls(image, row),
    }
}

/// A hash of the specification. It is comparable only within one run of the daemon.
pub(super) fn fingerprint(spec: &DistributionSpec) -> Fingerprint {
    let mut hasher = DefaultHasher::new();
    format!("{spec:?}").hash(&mut hasher);
    Fingerprint(format!("{:016x}", hasher.finish()))
}

fn behaviour(image: &Image, row: &DefaultCacheBehavior) -> Behaviour {
    let cache = row.cache_policy_id.as_deref().and_then(|id| policies::find::<CachePolicy>(image, id));
    let settings = policies::cache_settings(cache.as_ref().map(|policy| &policy.config), row);
    let request = row.origin_request_policy_id.as_deref();
    let request = request.and_then(|id| policies::find::<OriginRequestPolicy>(image, id));
    let response = row.response_headers_policy_id.as_deref();
    let response = response.and_then(|id| policies::find::<ResponseHeadersPolicy>(image, id));
    let mut forward = policies::forwarded(request.as_ref().map(|policy| &policy.config));
    if settings.forward.query != Pick::None {
        forward.query = settings.forward.query;
    }
    let (allowed, cached) = methods(row.allowed_methods.as_ref());
    Behaviour {
        origin: row.target_origin_id.to_string(),
        viewer: match row.viewer_protocol_policy {
            ViewerProtocolPolicy::RedirectToHttps => ViewerProtocol::RedirectToHttps,
            ViewerProtocolPolicy::HttpsOnly => ViewerProtocol::HttpsOnly,
            ViewerProtocolPolicy::AllowAll => ViewerProtocol::Any,
        },
        allowed_methods: allowed,
        cached_methods: cached,
        ttl: settings.ttl,
        key: settings.key,
        forward,
        encodings: settings.encodings,
        compress: row.compress == Some(true),
        trusted_keys: keys(image, row),
        response_headers: response.map(|p| policies::response_headers(&p.config)).unwrap_or_default(),
    }
}

fn methods(row: Option<&AllowedMethods>) -> (Vec<Method>, Vec<Method>) {
    let read = |names: &[rows::Method]| names.iter().filter_map(|m| m.as_str().parse().ok()).collect();
    let few = || vec![Method::GET, Method::HEAD];
    let cached = row.and_then(|r| r.cached_methods.as_ref()).map(|c| read(&c.0));
    (row.map_or_else(few, |r| read(&r.items)), cached.unwrap_or_else(few))
}

fn keys(image: &Image, row: &DefaultCacheBehavior) -> Vec<TrustedKey> {
    let groups = trusted(row.trusted_key_groups.as_ref()).filter_map(|id| image.get::<KeyGroup>(id));
    let ids: Vec<PublicKeyId> = groups.flat_map(|g| g.config.items.clone()).collect();
    let key = |id: &PublicKeyId| image.get::<PublicKey>(id);
    let keys = ids.iter().filter_map(key);
    keys.map(|k| TrustedKey { id: k.id.to_string(), public_key_pem: k.config.encoded_key.clone() }).collect()
}

fn origin(image: &Image, row: &rows::Origin) -> Origin {
    let headers = row.custom_headers.iter().flat_map(|h| &h.0);
    let headers: BTreeMap<_, _> =
        headers.map(|h| (h.header_name.to_string(), h.header_value.clone())).collect();
    let path = row.origin_path.clone().unwrap_or_default();
    let control = row.origin_access_control_id.as_deref().and_then(|id| image.get::<OriginAccessControl>(id));
    let custom = row.custom_origin_config.as_ref();
    // S3 has one name on this cloud's Internet; the bucket is the first part of the path.
    let (host, path) = match bucket_of(&row.domain_name).filter(|_| row.s3_origin_config.is_some()) {
        Some(bucket) => (Config::s3_name(), format!("/{bucket}{path}")),
        None => (row.domain_name.to_string(), path),
    };
    Origin {
        id: row.id.to_string(),
        host,
        // As on AWS, buckets are reached by the viewer's protocol.
        // Source: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-https-cloudfront-to-s3-origin.html>
        protocol: custom.map_or(OriginProtocol::Viewer, |c| match c.origin_protocol_policy {
            OriginProtocolPolicy::HttpOnly => OriginProtocol::Http,
            OriginProtocolPolicy::HttpsOnly => OriginProtocol::Https,
            OriginProtocolPolicy::MatchViewer => OriginProtocol::Viewer,
        }),
        http_port: custom.map_or(80, |c| c.http_port),
        https_port: custom.map_or(443, |c| c.https_port),
        path,
        headers,
        signed: identity_of(row).is_some()
            || control.is_some_and(|c| c.config.signing_behavior == SigningBehavior::Always),
        // AWS's defaults.
        connect_attempts: row.connection_attempts.unwrap_or(3),
        connect_timeout_ms: u64::from(row.connection_timeout.unwrap_or(10)) * 1000,
        read_timeout_ms: u64::from(custom.and_then(|c| c.origin_read_timeout).unwrap_or(30)) * 1000,
        keepalive_ms: u64::from(custom.and_then(|c| c.origin_keepalive_timeout).unwrap_or(5)) * 1000,
    }
}

/// `None` is not reached: operations check that a group has two members.
fn group(row: &rows::OriginGroup) -> Option<OriginGroup> {
    let [first, second] = &row.members.0[..] else { return None };
    Some(OriginGroup {
        id: row.id.to_string(),
        first: first.origin_id.to_string(),
        second: second.origin_id.to_string(),
        statuses: row.failover_criteria.status_codes.0.clone(),
    })
}

fn error(row: &CustomErrorResponse) -> ErrorResponse {
    let page = row.response_page_path.clone().filter(|p| !p.is_empty());
    let status = row.response_code.as_deref().and_then(|c| c.parse().ok());
    ErrorResponse {
        status: row.error_code,
        ttl_s: row.error_caching_min_ttl.unwrap_or(ERROR_TTL_S),
        page: page.zip(status),
    }
}
