//! AWS's managed policies, with AWS's ids.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html>,
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-origin-request-policies.html>,
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-response-headers-policies.html>

use escale_base::Timestamp;
use escale_tables::cloudfront::{
    CacheKeyParameters, CachePolicy, CachePolicyConfig, ContentTypeOptions, Cookies, CorsConfig, CorsMethod,
    ETag, FrameOption, FrameOptions, HeaderName, Items, KeyHeaderSelection, KeyHeaders,
    OriginHeaderSelection, OriginHeaders, OriginRequestPolicy, OriginRequestPolicyConfig, QueryStrings,
    ReferrerPolicy, ReferrerPolicyValue, ResponseHeadersPolicy, ResponseHeadersPolicyConfig, SecurityHeaders,
    Selection, StrictTransportSecurity, XssProtection,
};
use std::sync::{Arc, LazyLock};

/// The day on which AWS published its managed policies. They have not changed since.
const SINCE: Timestamp = Timestamp(1_595_376_000_000);
/// One ETag for all of them.
const ETAG: &str = "E23ZP02F085DFQ";

const DAY: u64 = 86_400;
const YEAR: u64 = 31_536_000;
const BY_ORIGIN: &[&str] =
    &["host", "origin", "x-http-method", "x-http-method-override", "x-method-override"];

/// Sorted by id, as paging requires.
pub(super) static CACHE: LazyLock<Vec<Arc<CachePolicy>>> = LazyLock::new(|| {
    use Selection::{All, None};
    let row = |id: &str, name: &str, comment: &str, ttl: (u64, u64, u64), compressed: bool, key: Key| {
        let (min_ttl, default_ttl, max_ttl) = ttl;
        let parameters = CacheKeyParameters {
            enable_accept_encoding_gzip: compressed,
            enable_accept_encoding_brotli: Some(compressed),
            headers_config: KeyHeaders {
                header_behavior: match key.headers {
                    [] => KeyHeaderSelection::None,
                    _ => KeyHeaderSelection::Whitelist,
                },
                headers: names(key.headers),
            },
            cookies_config: cookies(key.cookies),
            query_strings_config: query(key.query),
        };
        let config = CachePolicyConfig {
            comment: Some(comment.into()),
            name: name.into(),
            default_ttl: Some(default_ttl),
            max_ttl: Some(max_ttl),
            min_ttl,
            parameters_in_cache_key_and_forwarded_to_origin: Some(parameters),
        };
        Arc::new(CachePolicy { id: id.into(), config, etag: ETag(ETAG.into()), modified: SINCE })
    };
    let plain = Key { headers: &[], cookies: None, query: None };
    vec![
        row(
            "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
            "Managed-CachingDisabled",
            "Policy with caching disabled",
            (0, 0, 0),
            false,
            plain,
        ),
        row(
            "4cc15a8a-d715-48a4-82b8-cc0b614638fe",
            "UseOriginCacheControlHeaders-QueryStrings",
            "Policy for origins that return Cache-Control headers and serve different content based on values present in \
             the query string.",
            (0, 0, YEAR),
            true,
            Key { headers: BY_ORIGIN, cookies: All, query: All },
        ),
        row(
            "658327ea-f89d-4fab-a63d-7e88639e58f6",
            "Managed-CachingOptimized",
            "Policy with caching enabled. Supports Gzip and Brotli compression.",
            (1, DAY, YEAR),
            true,
            plain,
        ),
        row(
            "83da9c7e-98b4-4e11-a168-04f0df8e2c65",
            "UseOriginCacheControlHeaders",
            "Policy for origins that return Cache-Control headers. Query strings are not included in the cache key.",
            (0, 0, YEAR),
            true,
            Key { headers: BY_ORIGIN, cookies: All, query: None },
        ),
        row(
            "b2884449-e4de-46a7-ac36-70bc7f1ddd6d",
            "Managed-CachingOptimizedForUncompressedObjects",
            "Default policy when compression is disabled",
            (1, DAY, YEAR),
            false,
            plain,
        ),
    ]
});

/// What a cache key contains.
#[derive(Clone, Copy)]
struct Key {
    headers: &'static [&'static str],
    cookies: Selection,
    query: Selection,
}

/// Sorted by id, as paging requires.
pub(super) static REQUEST: LazyLock<Vec<Arc<OriginRequestPolicy>>> = LazyLock::new(|| {
    use OriginHeaderSelection::{AllExcept, AllViewer, Whitelist};
    let row = |id: &str, name: &str, comment: &str, headers: (OriginHeaderSelection, &[&str]), all: bool| {
        let rest = if all { Selection::All } else { Selection::None };
        let config = OriginRequestPolicyConfig {
            comment: Some(comment.into()),
            name: name.into(),
            headers_config: OriginHeaders { header_behavior: headers.0, headers: names(headers.1) },
            cookies_config: cookies(rest),
            query_strings_config: query(rest),
        };
        Arc::new(OriginRequestPolicy { id: id.into(), config, etag: ETag(ETAG.into()), modified: SINCE })
    };
    vec![
        row(
            "216adef6-5c7f-47e4-b989-5492eafa07d3",
            "Managed-AllViewer",
            "Policy to forward all parameters in viewer requests",
            (AllViewer, &[]),
            true,
        ),
        row(
            "59781a5b-3903-41f3-afcb-af62929ccde1",
            "Managed-CORS-CustomOrigin",
            "Policy for CORS with custom origins",
            (Whitelist, &["origin"]),
            false,
        ),
        row(
            "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf",
            "Managed-CORS-S3Origin",
            "Policy for S3 origin with CORS",
            (Whitelist, &["origin", "access-control-request-headers", "access-control-request-method"]),
            false,
        ),
        row(
            "acba4595-bd28-49b8-b9fe-13317c0390fa",
            "Managed-UserAgentRefererHeaders",
            "Policy to forward user-agent and referer headers to origin",
            (Whitelist, &["user-agent", "referer"]),
            false,
        ),
        row(
            "b689b0a8-53d0-40ab-baf2-68738e2966ac",
            "Managed-AllViewerExceptHostHeader",
            "Policy to forward all parameters in viewer requests except for the Host header",
            (AllExcept, &["host"]),
            true,
        ),
    ]
});

/// Sorted by id, as paging requires.
pub(super) static RESPONSE: LazyLock<Vec<Arc<ResponseHeadersPolicy>>> = LazyLock::new(|| {
    let row = |id: &str, name: &str, comment: &str, cors: Option<CorsConfig>, secure: bool| {
        let config = ResponseHeadersPolicyConfig {
            comment: Some(comment.into()),
            name: name.into(),
            cors_config: cors,
            security_headers_config: secure.then(security),
            server_timing_headers_config: None,
            custom_headers_config: None,
            remove_headers_config: None,
        };
        Arc::new(ResponseHeadersPolicy { id: id.into(), config, etag: ETag(ETAG.into()), modified: SINCE })
    };
    vec![
        row(
            "5cc3b908-e619-4b99-88e5-2cf7f45965bd",
            "Managed-CORS-With-Preflight",
            "Allows all origins for CORS requests, including preflight requests",
            Some(cors(true)),
            false,
        ),
        row(
            "60669652-455b-4ae9-85a4-c4c02393f86c",
            "Managed-SimpleCORS",
            "Allows all origins for simple CORS requests",
            Some(cors(false)),
            false,
        ),
        row(
            "67f7725c-6f97-4210-82d7-5512b31e9d03",
            "Managed-SecurityHeadersPolicy",
            "Adds a set of security headers to every response",
            None,
            true,
        ),
        row(
            "e61eb60c-9c35-4d20-a928-2b84e02af89c",
            "Managed-CORS-and-SecurityHeadersPolicy",
            "Allows all origins for simple CORS requests and adds security headers",
            Some(cors(false)),
            true,
        ),
        row(
            "eaab4381-ed33-4a86-88ca-d9558dc6cd63",
            "Managed-CORS-with-preflight-and-SecurityHeadersPolicy",
            "Allows all origins for CORS requests, including preflight requests, and adds security headers",
            Some(cors(true)),
            true,
        ),
    ]
});

fn cors(preflight: bool) -> CorsConfig {
    use CorsMethod::{Delete, Get, Head, Options, Patch, Post, Put};
    let methods =
        if preflight { vec![Delete, Get, Head, Options, Patch, Post, Put] } else { vec![Get, Head] };
    CorsConfig {
        access_control_allow_origins: Items(vec!["*".into()]),
        access_control_allow_headers: Items(vec!["*".into()]),
        access_control_allow_methods: Items(methods),
        access_control_allow_credentials: false,
        access_control_expose_headers: preflight.then(|| Items(vec!["*".into()])),
        access_control_max_age_sec: None,
        origin_override: false,
    }
}

fn security() -> SecurityHeaders {
    SecurityHeaders {
        xss_protection: Some(XssProtection {
            r#override: false,
            protection: true,
            mode_block: Some(true),
            report_uri: None,
        }),
        frame_options: Some(FrameOptions { r#override: false, frame_option: FrameOption::Sameorigin }),
        referrer_policy: Some(ReferrerPolicy {
            r#override: false,
            referrer_policy: ReferrerPolicyValue::StrictOriginWhenCrossOrigin,
        }),
        content_security_policy: None,
        content_type_options: Some(ContentTypeOptions { r#override: true }),
        strict_transport_security: Some(StrictTransportSecurity {
            r#override: false,
            include_subdomains: None,
            preload: None,
            access_control_max_age_sec: 31_536_000,
        }),
    }
}

fn names(names: &[&str]) -> Option<Items<HeaderName>> {
    (!names.is_empty()).then(|| Items(names.iter().map(|name| HeaderName::from(*name)).collect()))
}

fn cookies(cookie_behavior: Selection) -> Cookies {
    Cookies { cookie_behavior, cookies: None }
}

fn query(query_string_behavior: Selection) -> QueryStrings {
    QueryStrings { query_string_behavior, query_strings: None }
}
