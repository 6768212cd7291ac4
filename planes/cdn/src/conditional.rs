//! Conditional and range requests against a stored answer (RFC 9110, 13 and 14).

use escale_base::Timestamp;
use http::{HeaderMap, HeaderValue, header};

/// Whether the viewer already has this answer, so that a 304 is sufficient.
pub(crate) fn is_not_modified(request: &HeaderMap, answer: &HeaderMap) -> bool {
    if request.contains_key(header::IF_NONE_MATCH) {
        let Some(tag) = text(answer, header::ETAG) else { return false };
        let lines = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|v| v.to_str().ok());
        return lines
            .flat_map(|l| l.split(','))
            .any(|given| given.trim() == "*" || opaque(given) == opaque(tag));
    }
    let at = |headers, name| text(headers, name).and_then(Timestamp::parse_http_date);
    match (at(request, header::IF_MODIFIED_SINCE), at(answer, header::LAST_MODIFIED)) {
        (Some(since), Some(modified)) => modified <= since,
        _ => false,
    }
}

fn opaque(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag)
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok())
}

#[derive(Debug, PartialEq)]
pub(crate) enum Range {
    /// No range, several ranges, or one that does not apply: the whole answer.
    Whole,
    /// From the first number up to, not including, the second.
    Part(u64, u64),
    Unsatisfiable,
}

/// The range that the viewer requests of an answer of `len` bytes.
pub(crate) fn range(request: &HeaderMap, answer: &HeaderMap, len: u64) -> Range {
    let Some(spec) = text(request, header::RANGE).and_then(|r| r.strip_prefix("bytes=")) else {
        return Range::Whole;
    };
    if let Some(only_if) = text(request, header::IF_RANGE) {
        let same = text(answer, header::ETAG).is_some_and(|t| t == only_if && !t.starts_with("W/"))
            || text(answer, header::LAST_MODIFIED) == Some(only_if);
        if !same {
            return Range::Whole;
        }
    }
    let Some((first, last)) = spec.trim().split_once('-').filter(|_| !spec.contains(',')) else {
        return Range::Whole;
    };
    let number = |s: &str| s.parse::<u64>().ok().filter(|_| s.bytes().all(|b| b.is_ascii_digit()));
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first > last => Range::Whole,
        (Some(first), _) if first >= len => Range::Unsatisfiable,
        (Some(first), Some(last)) => Range::Part(first, last.saturating_add(1).min(len)),
        (Some(first), None) if last.is_empty() => Range::Part(first, len),
        (None, Some(0)) if first.is_empty() => Range::Unsatisfiable,
        (None, Some(_)) if first.is_empty() && len == 0 => Range::Unsatisfiable,
        (None, Some(suffix)) if first.is_empty() => Range::Part(len.saturating_sub(suffix), len),
        _ => Range::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn map(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (n.clone(), v.parse().unwrap())).collect()
    }

    #[test]
    fn resolves_byte_ranges() {
        let cases = [
            "bytes=0-4",
            "bytes=5-",
            "bytes=-3",
            "bytes=-30",
            "bytes=9-99",
            "bytes=10-",
            "bytes=4-2",
            "bytes=-0",
            "bytes=0-1,3-4",
            "lines=1-2",
            "bytes=x-",
        ];
        let shown: String = cases
            .iter()
            .map(|c| format!("{c:14} {:?}\n", range(&map(&[(header::RANGE, c)]), &HeaderMap::new(), 10)))
            .collect();
        expect![[r#"
            bytes=0-4      Part(0, 5)
            bytes=5-       Part(5, 10)
            bytes=-3       Part(7, 10)
            bytes=-30      Part(0, 10)
            bytes=9-99     Part(9, 10)
            bytes=10-      Unsatisfiable
            bytes=4-2      Whole
            bytes=-0       Unsatisfiable
            bytes=0-1,3-4  Whole
            lines=1-2      Whole
            bytes=x-       Whole
        "#]]
        .assert_eq(&shown);
        let answer = map(&[(header::ETAG, "\"a\"")]);
        let with = |tag| range(&map(&[(header::RANGE, "bytes=0-1"), (header::IF_RANGE, tag)]), &answer, 10);
        assert_eq!((with("\"a\""), with("\"b\"")), (Range::Part(0, 2), Range::Whole));
    }

    #[test]
    fn recognizes_unchanged_objects_by_etag_or_date() {
        let date = "Sun, 22 Nov 2026 09:00:00 GMT";
        let answer = map(&[(header::ETAG, "W/\"a\""), (header::LAST_MODIFIED, date)]);
        let is = |name, value| is_not_modified(&map(&[(name, value)]), &answer);
        assert!(is(header::IF_NONE_MATCH, "\"x\", \"a\"") && is(header::IF_NONE_MATCH, "*"));
        assert!(!is(header::IF_NONE_MATCH, "\"x\""));
        assert!(is(header::IF_MODIFIED_SINCE, date));
        assert!(!is(header::IF_MODIFIED_SINCE, "Sun, 22 Nov 2026 08:59:59 GMT"));
    }
}
