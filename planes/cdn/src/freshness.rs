//! RFC 9111 as far as a shared cache with a key policy and TTL bounds needs it: whether an answer may be stored, how
//! long it is fresh, how old it is. Pure.

use crate::spec::Ttl;
use escale_base::Timestamp;
use http::{HeaderMap, header};

/// How long an error is cached by default, in seconds.
pub(crate) const ERROR_TTL_S: u64 = 10;

/// The directives of Cache-Control that apply to a shared cache (RFC 9111, 5.2.2; RFC 5861).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Directives {
    pub(crate) no_store: bool,
    pub(crate) no_cache: bool,
    pub(crate) private: bool,
    pub(crate) must_revalidate: bool,
    pub(crate) max_age: Option<u64>,
    pub(crate) s_maxage: Option<u64>,
    pub(crate) stale_if_error: Option<u64>,
    pub(crate) stale_while_revalidate: Option<u64>,
}

impl Directives {
    pub(crate) fn of(headers: &HeaderMap) -> Directives {
        let mut found = Directives::default();
        let lines = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|v| v.to_str().ok());
        for directive in lines.flat_map(|line| line.split(',')) {
            let (name, value) = match directive.split_once('=') {
                Some((name, value)) => (name.trim(), value.trim().trim_matches('"')),
                None => (directive.trim(), ""),
            };
            // An invalid number means stale (4.2.1); one that is too large means forever.
            let seconds = || {
                if value.bytes().all(|b| b.is_ascii_digit()) && !value.is_empty() {
                    value.parse().unwrap_or(u64::MAX / 4000)
                } else {
                    0
                }
            };
            match name.to_ascii_lowercase().as_str() {
                "no-store" => found.no_store = true,
                // With field names it applies only to those fields.
                "no-cache" if value.is_empty() => found.no_cache = true,
                "private" if value.is_empty() => found.private = true,
                "must-revalidate" | "proxy-revalidate" => found.must_revalidate = true,
                "max-age" => found.max_age = found.max_age.or_else(|| Some(seconds())),
                "s-maxage" => found.s_maxage = found.s_maxage.or_else(|| Some(seconds())),
                "stale-while-revalidate" => found.stale_while_revalidate = Some(seconds()),
                "stale-if-error" => found.stale_if_error = Some(seconds()),
                _ => {}
            }
        }
        found
    }
}

/// How long an answer is fresh, in seconds from its creation; `None`: it must not be stored.
pub(crate) fn lifetime(status: u16, headers: &HeaderMap, ttl: Ttl, error_ttl_s: Option<u64>) -> Option<u64> {
    // `Vary: *` never matches another request (RFC 9110, 12.5.5), and ranges are cut from whole answers only.
    if headers.get(header::VARY).is_some_and(|v| v.as_bytes().contains(&b'*')) || status == 206 {
        return None;
    }
    let said = Directives::of(headers);
    // The order of RFC 9111, 4.2.1, for a shared cache.
    let explicit = said.s_maxage.or(said.max_age).or_else(|| expires_in(headers));
    match status {
        200 | 203 | 204 | 300 | 301 | 302 | 307 | 308 => {
            if ttl.max_s == 0 {
                return None;
            }
            if said.no_store || said.no_cache || said.private {
                // A minimum TTL above zero overrides the origin: the operator asked for it explicitly.
                return (ttl.min_s > 0).then_some(ttl.min_s);
            }
            Some(explicit.unwrap_or(ttl.default_s).min(ttl.max_s).max(ttl.min_s))
                .filter(|&s| s > 0 || is_valid(headers))
        }
        403 | 404 | 405 | 410 | 414 | 416 | 500..=504 => {
            let least = error_ttl_s.unwrap_or(ERROR_TTL_S);
            if said.no_store || said.no_cache || said.private {
                return (least > 0).then_some(least);
            }
            Some(explicit.unwrap_or(0).max(least)).filter(|&s| s > 0)
        }
        _ => None,
    }
}

/// Whether it has a validator: then even a stale answer is worth storing, since it can be revalidated.
fn is_valid(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ETAG) || headers.contains_key(header::LAST_MODIFIED)
}

fn expires_in(headers: &HeaderMap) -> Option<u64> {
    let expires = headers.get(header::EXPIRES)?;
    let at = |v: &http::HeaderValue| v.to_str().ok().and_then(Timestamp::parse_http_date);
    // An Expires that is not a date (`0`) is in the past (5.3).
    let (Some(expires), Some(date)) = (at(expires), headers.get(header::DATE).and_then(at)) else {
        return Some(0);
    };
    Some(u64::try_from(expires.since_ms(date) / 1000).unwrap_or(0))
}

/// The age on arrival (4.2.3), as reported by other caches.
pub(crate) fn age_on_arrival(headers: &HeaderMap) -> u64 {
    let age = headers.get(header::AGE).and_then(|v| v.to_str().ok());
    age.and_then(|v| v.trim().parse().ok()).unwrap_or(0)
}

/// Whether a stale answer may replace that of a failing origin, `stale_s` after it ceased to be fresh.
pub(crate) fn may_serve_stale(headers: &HeaderMap, stale_s: u64) -> bool {
    let said = Directives::of(headers);
    !said.must_revalidate && !said.no_cache && said.stale_if_error.is_none_or(|limit| stale_s <= limit)
}

/// Whether a stale answer may be sent while it is revalidated (RFC 5861, 3), `stale_s` after it ceased to be fresh.
pub(crate) fn may_serve_while_revalidating(headers: &HeaderMap, stale_s: u64) -> bool {
    let said = Directives::of(headers);
    !said.must_revalidate
        && !said.no_cache
        && said.stale_while_revalidate.is_some_and(|limit| stale_s < limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn headers(text: &str) -> HeaderMap {
        let pairs = text.split(';').filter_map(|line| line.split_once(": "));
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(http::HeaderName::try_from(name.trim()).unwrap(), value.parse().unwrap());
        }
        map
    }

    #[test]
    fn lifetime_follows_headers_and_ttls() {
        let date = "Date: Sun, 22 Nov 2026 09:00:00 GMT";
        let usual = Ttl { min_s: 0, default_s: 86_400, max_s: 31_536_000 };
        let floor = Ttl { min_s: 60, default_s: 86_400, max_s: 3600 };
        let off = Ttl { min_s: 0, default_s: 0, max_s: 0 };
        let cases = [
            (200, "".to_owned()),
            (200, "Cache-Control: max-age=5".into()),
            (200, "Cache-Control: max-age=5, s-maxage=7".into()),
            (200, "Cache-Control: max-age=99999999".into()),
            (200, "Cache-Control: max-age=x".into()),
            (200, "Cache-Control: max-age=0".into()),
            (200, "Cache-Control: max-age=0;ETag: \"a\"".into()),
            (200, "Cache-Control: no-store".into()),
            (200, "Cache-Control: private, max-age=9".into()),
            (200, "Cache-Control: no-cache".into()),
            (200, "Cache-Control: no-cache=\"set-cookie\", max-age=9".into()),
            (200, format!("{date};Expires: Sun, 22 Nov 2026 09:10:00 GMT")),
            (200, format!("{date};Expires: 0")),
            (200, format!("{date};Expires: Sun, 22 Nov 2026 08:00:00 GMT")),
            (200, format!("{date};Expires: Sun, 22 Nov 2026 09:10:00 GMT;Cache-Control: max-age=1")),
            (200, "Vary: *".into()),
            (206, "Cache-Control: max-age=5".into()),
            (302, "".into()),
            (404, "".into()),
            (404, "Cache-Control: max-age=50".into()),
            (503, "Cache-Control: no-store".into()),
            (401, "Cache-Control: max-age=50".into()),
        ];
        let shown: String = cases
            .iter()
            .map(|(status, text)| {
                let of = |ttl| match lifetime(*status, &headers(text), ttl, None) {
                    Some(s) => s.to_string(),
                    None => "-".to_owned(),
                };
                format!("usual {}, floor {}, off {} | {status} | {text}|\n", of(usual), of(floor), of(off))
            })
            .collect();
        expect![[r#"
            usual 86400, floor 3600, off - | 200 | |
            usual 5, floor 60, off - | 200 | Cache-Control: max-age=5|
            usual 7, floor 60, off - | 200 | Cache-Control: max-age=5, s-maxage=7|
            usual 31536000, floor 3600, off - | 200 | Cache-Control: max-age=99999999|
            usual -, floor 60, off - | 200 | Cache-Control: max-age=x|
            usual -, floor 60, off - | 200 | Cache-Control: max-age=0|
            usual 0, floor 60, off - | 200 | Cache-Control: max-age=0;ETag: "a"|
            usual -, floor 60, off - | 200 | Cache-Control: no-store|
            usual -, floor 60, off - | 200 | Cache-Control: private, max-age=9|
            usual -, floor 60, off - | 200 | Cache-Control: no-cache|
            usual 9, floor 60, off - | 200 | Cache-Control: no-cache="set-cookie", max-age=9|
            usual 600, floor 600, off - | 200 | Date: Sun, 22 Nov 2026 09:00:00 GMT;Expires: Sun, 22 Nov 2026 09:10:00 GMT|
            usual -, floor 60, off - | 200 | Date: Sun, 22 Nov 2026 09:00:00 GMT;Expires: 0|
            usual -, floor 60, off - | 200 | Date: Sun, 22 Nov 2026 09:00:00 GMT;Expires: Sun, 22 Nov 2026 08:00:00 GMT|
            usual 1, floor 60, off - | 200 | Date: Sun, 22 Nov 2026 09:00:00 GMT;Expires: Sun, 22 Nov 2026 09:10:00 GMT;Cache-Control: max-age=1|
            usual -, floor -, off - | 200 | Vary: *|
            usual -, floor -, off - | 206 | Cache-Control: max-age=5|
            usual 86400, floor 3600, off - | 302 | |
            usual 10, floor 10, off 10 | 404 | |
            usual 50, floor 50, off 50 | 404 | Cache-Control: max-age=50|
            usual 10, floor 10, off 10 | 503 | Cache-Control: no-store|
            usual -, floor -, off - | 401 | Cache-Control: max-age=50|
        "#]].assert_eq(&shown);
    }

    #[test]
    fn serves_stale_only_if_the_origin_allows_it() {
        assert!(may_serve_stale(&headers(""), 1000));
        assert!(!may_serve_stale(&headers("Cache-Control: must-revalidate"), 1));
        assert!(may_serve_stale(&headers("Cache-Control: stale-if-error=10"), 10));
        assert!(!may_serve_stale(&headers("Cache-Control: stale-if-error=10"), 11));
        let while_revalidating = |text: &str, stale_s| may_serve_while_revalidating(&headers(text), stale_s);
        assert!(!while_revalidating("", 0));
        assert!(while_revalidating("Cache-Control: stale-while-revalidate=10", 9));
        assert!(!while_revalidating("Cache-Control: stale-while-revalidate=10", 10));
        assert!(!while_revalidating("Cache-Control: stale-while-revalidate=10, must-revalidate", 1));
    }
}
