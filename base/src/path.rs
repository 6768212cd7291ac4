//! The path of an HTTP request in the three views that code may read. A percent-encoded path has many spellings, and
//! access control fails when two parts of the program interpret one differently: each consumer takes one of these types.
//!
//! | view | type | read by |
//! | --- | --- | --- |
//! | as sent | [`RawPath`] | what is forwarded, the cache's key and invalidations, what a signature covers |
//! | compared | [`MatchPath`] | path patterns: cache behaviours of the CDN, rules of the load balancer |
//! | decoded once | [`Segments`] | names: object keys (and the ARNs that IAM decides on), repositories, credential ids |
//!
//! `%2F` shows why there are three: it is no separator for a pattern (RFC 3986, 2.2: a reserved character and its
//! encoding differ), but it is a slash in an object's key.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Percent-encodes everything but RFC 3986's unreserved characters.
pub fn percent_encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The path as the client sent it: percent-encoded, without the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawPath<'a>(&'a str);

/// The normalized path that patterns are matched against. Two spellings of one path are equal here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchPath(String);

/// The path's segments, each decoded exactly once. A segment that was sent with `%2F` has a slash inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segments(Vec<String>);

/// Text whose percent-encoding cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEncoding {
    #[error(
        "'{0}' has a percent sign that two hexadecimal digits do not follow; write a percent sign as %25"
    )]
    Percent(String),
    #[error("'{0}' decodes to bytes that are not UTF-8; encode the UTF-8 form of the text")]
    NotUtf8(String),
}

impl<'a> RawPath<'a> {
    pub fn new(path: &'a str) -> RawPath<'a> {
        RawPath(path)
    }

    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// RFC 3986, 6.2.2: unreserved characters decoded, the digits of other encodings in upper case, dot segments
    /// removed. Repeated slashes stay; a percent sign that begins no valid encoding becomes `%25`.
    ///
    /// Load balancer rules are evaluated "only after URI normalization":
    /// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html#path-conditions>
    pub fn normalized(self) -> MatchPath {
        MatchPath(without_dot_segments(&decode_unreserved(self.0)))
    }

    /// As [`RawPath::normalized`], with repeated slashes collapsed. CloudFront compares this with the path patterns of
    /// cache behaviours, while it sends the raw path to the origin:
    /// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DownloadDistValuesCacheBehavior.html>
    pub fn collapsed(self) -> MatchPath {
        MatchPath(collapse(&self.normalized().0))
    }

    /// Whether [`RawPath::collapsed`] depends on the order of the two steps, as for `/a//../b`: `/a/b` by RFC 3986, `/b` for
    /// servers that collapse slashes first. Access to such a path cannot be decided for both.
    pub fn has_two_readings(self) -> bool {
        let slashes_first = without_dot_segments(&collapse(&decode_unreserved(self.0)));
        collapse(&slashes_first) != self.collapsed().0
    }

    /// The names between the slashes. An error if one of them cannot be decoded.
    pub fn segments(self) -> Result<Segments, BadEncoding> {
        let path = self.0.strip_prefix('/').unwrap_or(self.0);
        path.split('/').map(decode_once).collect::<Result<_, _>>().map(Segments)
    }

    /// Whether any reader of this path could leave a folder through it: a `.` or `..` between slashes or backslashes, in any
    /// encoding, including double encoding.
    pub fn may_climb(self) -> bool {
        let once: Vec<u8> = percent_decode_str(self.0).collect();
        let once = String::from_utf8_lossy(&once);
        let twice: Vec<u8> = percent_decode_str(&once).collect();
        String::from_utf8_lossy(&twice).split(['/', '\\']).any(|segment| segment == "." || segment == "..")
    }
}

impl MatchPath {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Segments {
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The segments as slices, for pattern matching; `None` when a segment contains a slash, which these names
    /// must not.
    pub fn plain(&self) -> Option<Vec<&str>> {
        self.0.iter().map(|s| (!s.contains('/')).then_some(s.as_str())).collect()
    }
}

/// Decodes percent-encoded text exactly once; the error says why that failed.
pub fn decode_once(text: &str) -> Result<String, BadEncoding> {
    let digits = |at: usize| text.as_bytes().get(at + 1..at + 3);
    let mut percents = text.bytes().enumerate().filter(|(_, b)| *b == b'%');
    if percents.any(|(at, _)| !digits(at).is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit))) {
        return Err(BadEncoding::Percent(text.to_owned()));
    }
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(|d| d.into_owned()).map_err(|_| BadEncoding::NotUtf8(text.to_owned()))
}

/// RFC 3986, 2.3 and 6.2.2.1 to 6.2.2.2. Bytes that must not appear unencoded in a path are encoded (RFC 3987, 3.1).
fn decode_unreserved(path: &str) -> String {
    use std::fmt::Write;
    let (bytes, mut out, mut at) = (path.as_bytes(), String::with_capacity(path.len()), 0);
    while let Some(&byte) = bytes.get(at) {
        let encoded = (byte == b'%')
            .then(|| bytes.get(at + 1..at + 3))
            .flatten()
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        let value = encoded.unwrap_or(byte);
        let unreserved = value.is_ascii_alphanumeric() || b"-._~".contains(&value);
        let as_it_is = unreserved || (encoded.is_none() && value.is_ascii_graphic() && value != b'%');
        if as_it_is {
            out.push(char::from(value));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{value:02X}");
        }
        at += if encoded.is_some() { 3 } else { 1 };
    }
    out
}

fn collapse(path: &str) -> String {
    let mut kept = String::with_capacity(path.len());
    for c in path.chars() {
        if c != '/' || !kept.ends_with('/') {
            kept.push(c);
        }
    }
    kept
}

/// RFC 3986, 5.2.4.
fn without_dot_segments(path: &str) -> String {
    if !path.starts_with('/') {
        // The `*` of `OPTIONS *` is not a path.
        return path.to_owned();
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path[1..].split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use proptest::prelude::*;

    /// RFC 3986's own examples first, then the spellings that attackers send.
    const CASES: [&str; 36] = [
        "/",
        "/a/b/c/./../../g",
        "/mid/content=5/../6",
        "/%7Esmith/home",
        "/%7esmith/%3a%2f",
        "/../../../g",
        "/b/c/.",
        "/b/c/..",
        "/.g/..g/g../...",
        "/./g/.",
        "/a//b",
        "//media/x",
        "/%6dedia/x",
        "/medi%61/x",
        "/media%2fx",
        "/media%2Fx",
        "/open/..%2fmedia/x",
        "/open/%2e%2e/media/x",
        "/open/%2E./media/x",
        "/open/%2e%2e%2fmedia/x",
        "/open/%252e%252e/media/x",
        "/%256dedia/x",
        "/a//../b",
        "/a/%00b",
        "/a/%c0%ae%c0%ae/b",
        "/a/%ff",
        "/100%",
        "/a%2",
        "/a%zz/b",
        "/a+b/c d",
        "/a;v=1/b;/c",
        "/ünï",
        "/%C3%BCn%C3%AF",
        "/a\\..\\b",
        "/a/.../b",
        "*",
    ];

    #[test]
    fn three_views_of_one_path() {
        let shown: String = CASES
            .iter()
            .map(|case| {
                let raw = RawPath::new(case);
                let (rfc, cdn) = (raw.normalized(), raw.collapsed());
                let cdn = if rfc == cdn { String::new() } else { format!(" collapsed {}", cdn.as_str()) };
                let names = match raw.segments() {
                    Ok(Segments(names)) => format!("{names:?}"),
                    Err(BadEncoding::Percent(_)) => "bad percent sign".to_owned(),
                    Err(BadEncoding::NotUtf8(_)) => "not UTF-8".to_owned(),
                };
                let noted = match (raw.may_climb(), raw.has_two_readings()) {
                    (_, true) => " two readings",
                    (true, _) => " may climb",
                    _ => "",
                };
                format!("{case} -> {}{cdn} {names}{noted}\n", rfc.as_str())
            })
            .collect();
        expect![[r#"
            / -> / [""]
            /a/b/c/./../../g -> /a/g ["a", "b", "c", ".", "..", "..", "g"] may climb
            /mid/content=5/../6 -> /mid/6 ["mid", "content=5", "..", "6"] may climb
            /%7Esmith/home -> /~smith/home ["~smith", "home"]
            /%7esmith/%3a%2f -> /~smith/%3A%2F ["~smith", ":/"]
            /../../../g -> /g ["..", "..", "..", "g"] may climb
            /b/c/. -> /b/c/ ["b", "c", "."] may climb
            /b/c/.. -> /b/ ["b", "c", ".."] may climb
            /.g/..g/g../... -> /.g/..g/g../... [".g", "..g", "g..", "..."]
            /./g/. -> /g/ [".", "g", "."] may climb
            /a//b -> /a//b collapsed /a/b ["a", "", "b"]
            //media/x -> //media/x collapsed /media/x ["", "media", "x"]
            /%6dedia/x -> /media/x ["media", "x"]
            /medi%61/x -> /media/x ["media", "x"]
            /media%2fx -> /media%2Fx ["media/x"]
            /media%2Fx -> /media%2Fx ["media/x"]
            /open/..%2fmedia/x -> /open/..%2Fmedia/x ["open", "../media", "x"] may climb
            /open/%2e%2e/media/x -> /media/x ["open", "..", "media", "x"] may climb
            /open/%2E./media/x -> /media/x ["open", "..", "media", "x"] may climb
            /open/%2e%2e%2fmedia/x -> /open/..%2Fmedia/x ["open", "../media", "x"] may climb
            /open/%252e%252e/media/x -> /open/%252e%252e/media/x ["open", "%2e%2e", "media", "x"] may climb
            /%256dedia/x -> /%256dedia/x ["%6dedia", "x"]
            /a//../b -> /a/b ["a", "", "..", "b"] two readings
            /a/%00b -> /a/%00b ["a", "\0b"]
            /a/%c0%ae%c0%ae/b -> /a/%C0%AE%C0%AE/b not UTF-8
            /a/%ff -> /a/%FF not UTF-8
            /100% -> /100%25 bad percent sign
            /a%2 -> /a%252 bad percent sign
            /a%zz/b -> /a%25zz/b bad percent sign
            /a+b/c d -> /a+b/c%20d ["a+b", "c d"]
            /a;v=1/b;/c -> /a;v=1/b;/c ["a;v=1", "b;", "c"]
            /ünï -> /%C3%BCn%C3%AF ["ünï"]
            /%C3%BCn%C3%AF -> /%C3%BCn%C3%AF ["ünï"]
            /a\..\b -> /a\..\b ["a\\..\\b"] may climb
            /a/.../b -> /a/.../b ["a", "...", "b"]
            * -> * ["*"]
        "#]]
        .assert_eq(&shown);
    }

    #[test]
    fn plain_segments_have_no_slash() {
        assert_eq!(RawPath::new("/v2/a%3Ab/c").segments().unwrap().plain(), Some(vec!["v2", "a:b", "c"]));
        assert_eq!(RawPath::new("/v2/a%2Fb/c").segments().unwrap().plain(), None);
    }

    proptest! {
        /// A normalized path is its own normal form, and encoding any of its letters does not change it.
        #[test]
        fn spellings_of_one_path_are_equal(path in "/[a-z./%]{0,20}", at in 0usize..20) {
            let once = RawPath::new(&path).collapsed();
            prop_assert_eq!(&RawPath::new(once.as_str()).collapsed(), &once);
            let decoded = once.as_str();
            let other = match decoded.char_indices().nth(at) {
                Some((i, c)) if c.is_ascii_alphabetic() && !decoded[..i].ends_with(['%'])
                    && !decoded[..i.saturating_sub(1)].ends_with('%') =>
                {
                    format!("{}%{:02x}{}", &decoded[..i], c as u8, &decoded[i + 1..])
                }
                _ => decoded.to_owned(),
            };
            prop_assert_eq!(RawPath::new(&other).collapsed(), once.clone());
        }

        #[test]
        fn never_panics(path in ".{0,40}") {
            let raw = RawPath::new(&path);
            let _ = (raw.normalized(), raw.collapsed(), raw.segments(), raw.may_climb());
        }
    }
}
