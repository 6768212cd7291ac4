//! Selects the parts of a request that distinguish cached answers, and those that are sent to the origin.

use crate::{
    compress::Accepted,
    spec::{Pick, Selection},
};
use escale_base::{
    glob::{Glob, One},
    path::RawPath,
};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use std::sync::Arc;

/// Identifies one cached answer. The raw path is part of it, since the origin answers to that: two spellings
/// may have two answers, and one must not replace the other. `path` is the normalized view, with the query:
/// an invalidation drops all spellings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) distribution: Arc<str>,
    pub(crate) path: Arc<str>,
    /// Raw path, method kind, encoding, headers, cookies: framed unambiguously.
    rest: Arc<[u8]>,
}

pub(crate) struct Viewer<'a> {
    pub(crate) path: RawPath<'a>,
    /// Without the parameters of signed access.
    pub(crate) query: Option<&'a str>,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) accepted: Accepted,
}

impl Key {
    pub(crate) fn of(distribution: &Arc<str>, method: &str, by: &Selection, viewer: &Viewer<'_>) -> Key {
        let mut path = viewer.path.collapsed().as_str().to_owned();
        if let Some(query) = pick_query(&[&by.query], viewer.query) {
            path.push('?');
            path.push_str(&query);
        }
        let mut rest = Vec::new();
        let mut part = |bytes: &[u8]| {
            rest.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
            rest.extend_from_slice(bytes);
        };
        part(viewer.path.as_str().as_bytes());
        part(if method == "OPTIONS" { b"O" } else { b"G" });
        part(viewer.accepted.header().unwrap_or_default().as_bytes());
        let mut names: Vec<&HeaderName> = viewer.headers.keys().filter(|n| by.takes_header(n)).collect();
        names.sort_unstable_by_key(|n| n.as_str());
        for name in names {
            part(name.as_str().as_bytes());
            for value in viewer.headers.get_all(name) {
                part(value.as_bytes());
            }
        }
        part(pick_cookies(&[&by.cookies], viewer.headers).unwrap_or_default().as_bytes());
        Key { distribution: distribution.clone(), path: path.into(), rest: rest.into() }
    }
}

/// The path of an invalidation in the format of [`Key::path`].
pub(crate) fn invalidation(pattern: &str) -> String {
    let (path, query) = pattern.split_once('?').map_or((pattern, None), |(p, q)| (p, Some(q)));
    let path = RawPath::new(path).collapsed();
    query.map_or_else(|| path.as_str().to_owned(), |query| format!("{}?{query}", path.as_str()))
}

impl Selection {
    pub(crate) fn takes_header(&self, name: &HeaderName) -> bool {
        // Cookies are selected separately; the edge handles the other headers itself on each side.
        let own =
            [header::COOKIE, header::ACCEPT_ENCODING, header::CONNECTION, header::RANGE, header::IF_RANGE];
        !own.contains(name)
            && ![header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE, header::TE, header::UPGRADE].contains(name)
            && self.headers.takes(name.as_str(), true)
    }
}

impl Pick {
    fn takes(&self, name: &str, ignore_case: bool) -> bool {
        let same = |n: &String| if ignore_case { n.eq_ignore_ascii_case(name) } else { n == name };
        match self {
            Pick::None => false,
            Pick::All => true,
            Pick::Only(names) => names.iter().any(same),
            Pick::AllExcept(names) => !names.iter().any(same),
        }
    }
}

/// The pairs that any of `picks` selects, in the viewer's order.
pub(crate) fn pick_query(picks: &[&Pick], query: Option<&str>) -> Option<String> {
    let pairs = query?.split('&').filter(|pair| {
        let name = pair.split_once('=').map_or(*pair, |(name, _)| name);
        !pair.is_empty() && picks.iter().any(|p| p.takes(name, false))
    });
    let kept = pairs.collect::<Vec<_>>().join("&");
    (!kept.is_empty()).then_some(kept)
}

pub(crate) fn pick_cookies(picks: &[&Pick], headers: &HeaderMap) -> Option<String> {
    let kept: Vec<&str> = cookies(headers)
        .filter(|(name, _)| picks.iter().any(|p| p.takes(name, false)))
        .map(|(_, whole)| whole)
        .collect();
    (!kept.is_empty()).then(|| kept.join("; "))
}

/// Name and `name=value` of each cookie.
pub(crate) fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|line| line.split(';'))
        .map(str::trim)
        .map(|whole| (whole.split_once('=').map_or(whole, |(name, _)| name), whole))
}

/// The headers for the origin: those of either selection, and those that describe a body.
pub(crate) fn forwarded_headers(
    key: &Selection,
    more: &Selection,
    from: &HeaderMap,
    has_body: bool,
) -> HeaderMap {
    let body =
        [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CONTENT_ENCODING, header::AUTHORIZATION];
    let mut to = HeaderMap::new();
    for (name, value) in from {
        let by_policy = key.takes_header(name)
            // A cached answer must not depend on the viewer's authorization, unless the key does.
            || (more.takes_header(name) && *name != header::AUTHORIZATION);
        if by_policy || (has_body && body.contains(name)) {
            to.append(name, value.clone());
        }
    }
    to.remove(header::TRANSFER_ENCODING);
    if !has_body {
        to.remove(header::CONTENT_LENGTH);
    }
    if let Some(cookies) = pick_cookies(&[&key.cookies, &more.cookies], from)
        && let Ok(cookies) = HeaderValue::try_from(cookies)
    {
        to.insert(header::COOKIE, cookies);
    }
    to
}

/// Whether `text` matches `pattern`, in which `*` matches any run of bytes and `?` matches one.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    Glob { one: One::Byte, ignore_case: false, escape: false }.matches(pattern, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picks_query_and_cookies_for_the_cache_key() {
        let only = Pick::Only(vec!["a".into()]);
        let except = Pick::AllExcept(vec!["a".into()]);
        assert_eq!(pick_query(&[&only], Some("b=1&a=2&a=3&A=4")).as_deref(), Some("a=2&a=3"));
        assert_eq!(pick_query(&[&except], Some("b=1&a=2")).as_deref(), Some("b=1"));
        assert_eq!(pick_query(&[&Pick::None], Some("b=1")), None);
        let headers: HeaderMap = [(header::COOKIE, "a=1; b=2;c".parse().unwrap())].into_iter().collect();
        assert_eq!(pick_cookies(&[&except], &headers).as_deref(), Some("b=2; c"));
    }

    #[test]
    fn different_requests_have_different_keys() {
        let by = Selection { headers: Pick::All, cookies: Pick::All, query: Pick::None };
        let key = |pairs: &[(&'static str, &'static str)]| {
            let headers: HeaderMap = pairs
                .iter()
                .map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)))
                .collect();
            Key::of(
                &"d".into(),
                "GET",
                &by,
                &Viewer {
                    path: RawPath::new("/"),
                    query: Some("x"),
                    headers: &headers,
                    accepted: Accepted::default(),
                },
            )
        };
        assert_ne!(key(&[("a", "bc")]), key(&[("ab", "c")]));
        assert_eq!(key(&[("a", "1"), ("b", "2")]), key(&[("b", "2"), ("a", "1")]));
        assert_eq!(key(&[("range", "1")]), key(&[]));
    }
}
