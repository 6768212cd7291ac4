//! Converts policies and legacy cache settings to the plane's types.

use crate::{Error, error::invalid};
use escale_base::AwsError;
use escale_cdn::spec::{Cors, Encodings, Pick, ResponseHeaders, Selection as Picks, SetHeader, Ttl};
use escale_tables::cloudfront::{
    CachePolicyConfig, Cookies, CorsConfig, CorsMethod, DefaultCacheBehavior, ForwardedValues, ItemSelection,
    Items, KeyHeaderSelection, OriginHeaderSelection, OriginRequestPolicyConfig, QueryStrings,
    ResponseHeadersPolicyConfig, SecurityHeaders, Selection,
};

/// AWS's defaults, of policies and of legacy settings.
const DEFAULT_TTL_S: u64 = 86_400;
const MAX_TTL_S: u64 = 31_536_000;
/// AWS's limits.
const CSP_CHARS: usize = 2048;
const CUSTOM_HEADERS: usize = 10;

/// How a behaviour caches.
pub(crate) struct CacheSettings {
    pub ttl: Ttl,
    pub key: Picks,
    /// Forwarded in addition to the key. Only legacy settings have it: a query string of which only a part is in the key.
    pub forward: Picks,
    /// The encodings that the key distinguishes; the edge compresses in no others.
    pub encodings: Encodings,
}

pub(super) fn ttl_of(config: &CachePolicyConfig) -> Ttl {
    ttl(config.min_ttl, config.default_ttl, config.max_ttl)
}

/// A default that is not given is at least the minimum, and a maximum that is not given at least the default.
fn ttl(min_s: u64, default_s: Option<u64>, max_s: Option<u64>) -> Ttl {
    let default_s =
        default_s.unwrap_or_else(|| max_s.map_or(DEFAULT_TTL_S, |max| DEFAULT_TTL_S.min(max)).max(min_s));
    Ttl { min_s, default_s, max_s: max_s.unwrap_or(MAX_TTL_S.max(default_s)) }
}

/// The settings of a behaviour with this cache policy, or with legacy settings.
pub(crate) fn cache_settings(
    policy: Option<&CachePolicyConfig>,
    row: &DefaultCacheBehavior,
) -> CacheSettings {
    match (policy, &row.forwarded_values) {
        (Some(policy), _) => by_policy(policy),
        (None, Some(values)) => legacy(values, row),
        // `check` refuses a behaviour without either.
        (None, None) => CacheSettings {
            ttl: Ttl { min_s: 0, default_s: 0, max_s: 0 },
            key: nothing(),
            forward: nothing(),
            encodings: Encodings::default(),
        },
    }
}

fn by_policy(policy: &CachePolicyConfig) -> CacheSettings {
    let key = policy.parameters_in_cache_key_and_forwarded_to_origin.as_ref();
    CacheSettings {
        ttl: ttl_of(policy),
        key: key.map_or_else(nothing, |key| Picks {
            headers: match key.headers_config.header_behavior {
                KeyHeaderSelection::None => Pick::None,
                KeyHeaderSelection::Whitelist => only(key.headers_config.headers.as_ref()),
            },
            cookies: cookies(&key.cookies_config),
            query: query(&key.query_strings_config),
        }),
        forward: nothing(),
        encodings: key.map_or_else(Encodings::default, |key| Encodings {
            gzip: key.enable_accept_encoding_gzip,
            brotli: key.enable_accept_encoding_brotli == Some(true),
        }),
    }
}

/// Source: <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ForwardedValues.html>
fn legacy(values: &ForwardedValues, row: &DefaultCacheBehavior) -> CacheSettings {
    let headers = values.headers.as_ref();
    // With all headers in the key, nothing is cached: every request goes to the origin.
    let all = headers.is_some_and(|h| h.0.iter().any(|name| name.as_str() == "*"));
    let keys = values.query_string_cache_keys.as_ref().filter(|keys| !keys.0.is_empty());
    let (key, forward) = match (values.query_string, keys) {
        (false, _) => (Pick::None, Pick::None),
        (true, None) => (Pick::All, Pick::None),
        (true, Some(keys)) => (only(Some(keys)), Pick::All),
    };
    let names = values.cookies.whitelisted_names.as_ref();
    CacheSettings {
        ttl: if all {
            Ttl { min_s: 0, default_s: 0, max_s: 0 }
        } else {
            ttl(row.min_ttl.unwrap_or(0), row.default_ttl, row.max_ttl)
        },
        key: Picks {
            headers: if all { Pick::All } else { only(headers) },
            cookies: match values.cookies.forward {
                ItemSelection::None => Pick::None,
                ItemSelection::All => Pick::All,
                ItemSelection::Whitelist => only(names),
            },
            query: key,
        },
        forward: Picks { query: forward, ..nothing() },
        // Brotli needs a cache policy.
        encodings: Encodings { gzip: true, brotli: false },
    }
}

/// What an origin request policy forwards.
pub(crate) fn forwarded(policy: Option<&OriginRequestPolicyConfig>) -> Picks {
    policy.map_or_else(nothing, |policy| Picks {
        headers: match policy.headers_config.header_behavior {
            OriginHeaderSelection::None => Pick::None,
            OriginHeaderSelection::Whitelist => only(policy.headers_config.headers.as_ref()),
            OriginHeaderSelection::AllViewer | OriginHeaderSelection::AllViewerAndWhitelistCloudFront => {
                Pick::All
            }
            OriginHeaderSelection::AllExcept => except(policy.headers_config.headers.as_ref()),
        },
        cookies: cookies(&policy.cookies_config),
        query: query(&policy.query_strings_config),
    })
}

fn nothing() -> Picks {
    Picks { headers: Pick::None, cookies: Pick::None, query: Pick::None }
}

fn cookies(config: &Cookies) -> Pick {
    pick(config.cookie_behavior, config.cookies.as_ref())
}

fn query(config: &QueryStrings) -> Pick {
    pick(config.query_string_behavior, config.query_strings.as_ref())
}

fn pick<T: AsRef<str>>(selection: Selection, names: Option<&Items<T>>) -> Pick {
    match selection {
        Selection::None => Pick::None,
        Selection::All => Pick::All,
        Selection::Whitelist => only(names),
        Selection::AllExcept => except(names),
    }
}

fn texts<T: AsRef<str>>(names: Option<&Items<T>>) -> Vec<String> {
    names.iter().flat_map(|items| &items.0).map(|name| name.as_ref().to_owned()).collect()
}

fn only<T: AsRef<str>>(names: Option<&Items<T>>) -> Pick {
    let names = texts(names);
    if names.is_empty() { Pick::None } else { Pick::Only(names) }
}

fn except<T: AsRef<str>>(names: Option<&Items<T>>) -> Pick {
    Pick::AllExcept(texts(names))
}

/// A list belongs to the selections that name something, and to no other.
pub(super) fn consistent(selection: &str, names: usize) -> Result<(), Error> {
    let lists = selection == "whitelist" || selection == "allExcept";
    if lists && names == 0 {
        return Err(invalid(format!("The behavior '{selection}' needs a list of names")));
    }
    if !lists && names > 0 {
        return Err(invalid(format!("The behavior '{selection}' cannot have a list of names")));
    }
    Ok(())
}

pub(super) fn check_cookies(config: &Cookies) -> Result<(), Error> {
    consistent(config.cookie_behavior.as_str(), config.cookies.as_ref().map_or(0, |c| c.0.len()))
}

pub(super) fn check_query(config: &QueryStrings) -> Result<(), Error> {
    consistent(config.query_string_behavior.as_str(), config.query_strings.as_ref().map_or(0, |q| q.0.len()))
}

pub(super) fn check_response(config: &ResponseHeadersPolicyConfig) -> Result<(), Error> {
    if config.server_timing_headers_config.as_ref().is_some_and(|timing| timing.enabled) {
        return Err(AwsError::not_supported("The parameter ServerTimingHeadersConfig")
            .hint("Leave it out, or set Enabled to false.")
            .into());
    }
    let custom = config.custom_headers_config.iter().flat_map(|c| &c.0);
    if custom.clone().count() > CUSTOM_HEADERS {
        return Err(invalid(format!("A policy can have at most {CUSTOM_HEADERS} custom headers")));
    }
    let removed = config.remove_headers_config.iter().flat_map(|c| &c.0).map(|h| (&h.header, ""));
    for (name, value) in custom.map(|h| (&h.header, h.value.as_str())).chain(removed) {
        check_header(name, value)?;
    }
    let security = config.security_headers_config.clone().unwrap_or_default();
    if let Some(csp) = &security.content_security_policy {
        check_header("Content-Security-Policy", &csp.content_security_policy)?;
        if csp.content_security_policy.len() > CSP_CHARS {
            return Err(Error::TooLongCsp);
        }
    }
    if let Some(xss) = &security.xss_protection {
        if xss.mode_block == Some(true) && xss.report_uri.is_some() {
            return Err(invalid("ModeBlock and ReportUri cannot be used together"));
        }
        check_header("X-XSS-Protection", xss.report_uri.as_deref().unwrap_or(""))?;
    }
    if let Some(cors) = &config.cors_config {
        let any = |items: &Items<String>| items.0.iter().any(|item| item == "*");
        if cors.access_control_allow_credentials
            && (any(&cors.access_control_allow_headers)
                || cors.access_control_allow_methods.0.contains(&CorsMethod::All)
                || cors.access_control_expose_headers.as_ref().is_some_and(any))
        {
            return Err(invalid(
                "A policy that allows credentials must list headers and methods, without '*' and ALL",
            ));
        }
        let texts = cors.access_control_allow_origins.0.iter().chain(&cors.access_control_allow_headers.0);
        texts.clone().try_for_each(|text| check_header("Access-Control-Allow-Origin", text))?;
    }
    Ok(())
}

/// Headers that the edge or the connection determines.
fn check_header(name: &str, value: &str) -> Result<(), Error> {
    const OWN: [&str; 14] = [
        "connection",
        "content-encoding",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "x-cache",
    ];
    let lower = name.to_ascii_lowercase();
    if http::HeaderName::try_from(name).is_err()
        || OWN.contains(&lower.as_str())
        || lower.starts_with("x-amz-cf-")
    {
        return Err(invalid(format!("The header {name} cannot be set or removed by a policy")));
    }
    if http::HeaderValue::from_str(value).is_err() {
        return Err(invalid(format!(
            "The value of the header {name} has characters that no header can have"
        )));
    }
    Ok(())
}

/// The headers that a policy changes in the answers to viewers.
pub(crate) fn response_headers(config: &ResponseHeadersPolicyConfig) -> ResponseHeaders {
    let mut set = security(&config.security_headers_config.clone().unwrap_or_default());
    let custom = config.custom_headers_config.iter().flat_map(|c| &c.0);
    set.extend(custom.map(|h| SetHeader {
        name: h.header.to_string(),
        value: h.value.clone(),
        overrides: h.r#override,
    }));
    let removed = config.remove_headers_config.iter().flat_map(|c| &c.0);
    ResponseHeaders {
        set,
        remove: removed.map(|h| h.header.to_string()).collect(),
        cors: config.cors_config.as_ref().map(cors),
    }
}

fn cors(config: &CorsConfig) -> Cors {
    let all = ["GET", "POST", "OPTIONS", "PUT", "DELETE", "PATCH", "HEAD"].map(str::to_owned).to_vec();
    let methods = &config.access_control_allow_methods.0;
    let named = methods.iter().map(|m| m.to_string()).collect();
    Cors {
        origins: config.access_control_allow_origins.0.clone(),
        headers: config.access_control_allow_headers.0.clone(),
        methods: if methods.contains(&CorsMethod::All) { all } else { named },
        exposed: config.access_control_expose_headers.clone().unwrap_or_default().0,
        credentials: config.access_control_allow_credentials,
        max_age_s: config.access_control_max_age_sec,
        overrides: config.origin_override,
    }
}

fn security(headers: &SecurityHeaders) -> Vec<SetHeader> {
    let header =
        |name: &str, value: String, overrides| Some(SetHeader { name: name.into(), value, overrides });
    let all = [
        headers.strict_transport_security.as_ref().and_then(|h| {
            let mut value = format!("max-age={}", h.access_control_max_age_sec);
            let flags = [(h.include_subdomains, "; includeSubDomains"), (h.preload, "; preload")];
            flags.into_iter().filter(|(on, _)| *on == Some(true)).for_each(|(_, text)| value.push_str(text));
            header("Strict-Transport-Security", value, h.r#override)
        }),
        headers
            .content_type_options
            .as_ref()
            .and_then(|h| header("X-Content-Type-Options", "nosniff".into(), h.r#override)),
        headers
            .frame_options
            .as_ref()
            .and_then(|h| header("X-Frame-Options", h.frame_option.to_string(), h.r#override)),
        headers
            .referrer_policy
            .as_ref()
            .and_then(|h| header("Referrer-Policy", h.referrer_policy.to_string(), h.r#override)),
        headers
            .content_security_policy
            .as_ref()
            .and_then(|h| header("Content-Security-Policy", h.content_security_policy.clone(), h.r#override)),
        headers.xss_protection.as_ref().and_then(|h| {
            let value = match (h.protection, h.mode_block, &h.report_uri) {
                (false, ..) => "0".to_owned(),
                (true, Some(true), _) => "1; mode=block".to_owned(),
                (true, _, Some(uri)) => format!("1; report={uri}"),
                (true, _, None) => "1".to_owned(),
            };
            header("X-XSS-Protection", value, h.r#override)
        }),
    ];
    all.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_base::Wire;
    use serde_json::{Value, json};

    fn behaviour(values: Value, ttls: (Option<u64>, Option<u64>, Option<u64>)) -> DefaultCacheBehavior {
        let (min, default, max) = ttls;
        let row = json!({
            "TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all", "ForwardedValues": values, "MinTTL": min,
            "DefaultTTL": default, "MaxTTL": max,
        });
        DefaultCacheBehavior::read(&row).unwrap()
    }

    fn names(names: &[&str]) -> Pick {
        Pick::Only(names.iter().map(|n| (*n).to_owned()).collect())
    }

    #[test]
    fn legacy_settings_have_a_key_and_defaults() {
        let cookies = json!({"Forward": "whitelist", "WhitelistedNames": {"Items": ["a"]}});
        let row = behaviour(
            json!({
                "QueryString": true, "QueryStringCacheKeys": {"Items": ["v"]}, "Cookies": cookies,
                "Headers": {"Items": ["Host"]},
            }),
            (None, None, None),
        );
        let settings = cache_settings(None, &row);
        assert_eq!(settings.ttl, Ttl { min_s: 0, default_s: DEFAULT_TTL_S, max_s: MAX_TTL_S });
        assert_eq!(
            settings.key,
            Picks { headers: names(&["Host"]), cookies: names(&["a"]), query: names(&["v"]) }
        );
        // The origin gets the whole query string.
        assert_eq!(settings.forward.query, Pick::All);
        let everything =
            json!({"QueryString": false, "Cookies": {"Forward": "all"}, "Headers": {"Items": ["*"]}});
        let settings = cache_settings(None, &behaviour(everything, (Some(5), Some(5), Some(5))));
        assert_eq!((settings.ttl.max_s, settings.key.headers), (0, Pick::All));
        assert_eq!((settings.key.cookies, settings.key.query), (Pick::All, Pick::None));
    }

    #[test]
    fn missing_ttls_are_between_the_given_ones() {
        for (given, expected) in [
            ((0, None, None), (0, DEFAULT_TTL_S, MAX_TTL_S)),
            ((0, None, Some(10)), (0, 10, 10)),
            ((100_000, None, None), (100_000, 100_000, MAX_TTL_S)),
            ((0, Some(40_000_000), None), (0, 40_000_000, 40_000_000)),
        ] {
            let found = ttl(given.0, given.1, given.2);
            assert_eq!((found.min_s, found.default_s, found.max_s), expected, "{given:?}");
        }
    }

    #[test]
    fn response_headers_follow_the_policy() {
        let config = ResponseHeadersPolicyConfig::read(&json!({
            "Name": "p", "SecurityHeadersConfig": {
                "StrictTransportSecurity": {"Override": true, "AccessControlMaxAgeSec": 5, "Preload": true},
                "XSSProtection": {"Override": false, "Protection": true, "ReportUri": "/r"},
            },
            "CustomHeadersConfig": {"Items": [{"Header": "x-a", "Value": "b", "Override": false}]},
        }));
        let headers = response_headers(&config.unwrap());
        let set: Vec<_> =
            headers.set.iter().map(|h| format!("{}: {} {}", h.name, h.value, h.overrides)).collect();
        assert_eq!(
            set,
            [
                "Strict-Transport-Security: max-age=5; preload true",
                "X-XSS-Protection: 1; report=/r false",
                "x-a: b false"
            ]
        );
    }

    #[test]
    fn refuses_policies_that_the_edge_cannot_keep() {
        let check = |more: Value| {
            let mut config = json!({"Name": "p"});
            config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            check_response(&ResponseHeadersPolicyConfig::read(&config).unwrap()).map_err(|e| e.to_string())
        };
        let custom = |name: &str, value: &str| json!({"CustomHeadersConfig": {"Items": [{"Header": name, "Value": value, "Override": true}]}});
        assert!(check(custom("x-a", "b")).is_ok());
        for (config, why) in [
            (custom("Via", "b"), "cannot be set"),
            (custom("x-amz-cf-id", "b"), "cannot be set"),
            (custom("x-a", "b\r\nSet-Cookie: c"), "characters"),
            (json!({"ServerTimingHeadersConfig": {"Enabled": true}}), "ServerTimingHeadersConfig"),
            (json!({"RemoveHeadersConfig": {"Items": [{"Header": "connection"}]}}), "removed"),
            (
                json!({"SecurityHeadersConfig": {"ContentSecurityPolicy": {"Override": true, "ContentSecurityPolicy": "x".repeat(3000)}}}),
                "2048",
            ),
        ] {
            let error = check(config.clone()).unwrap_err();
            assert!(error.contains(why), "{config}: {error}");
        }
    }
}
