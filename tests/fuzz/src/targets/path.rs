//! Paths of HTTP requests: the views from which access control and object names are read.

use escale_base::path::RawPath;

pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let path = RawPath::new(text);
    let (normalized, collapsed) = (path.normalized(), path.collapsed());
    assert_eq!(
        RawPath::new(normalized.as_str()).normalized(),
        normalized,
        "normalizing twice changes a path again"
    );
    if text.starts_with('/') {
        let is_dots = |segment: &str| segment == "." || segment == "..";
        assert!(!collapsed.as_str().split('/').any(is_dots), "a dot segment is left");
        assert!(!collapsed.as_str().contains("//"), "a double slash is left");
    }
    assert_eq!(RawPath::new(&reencoded(text)).collapsed(), collapsed, "two encodings of one path differ");
    let Ok(segments) = path.segments() else { return };
    let climbs = segments.iter().any(|segment| segment == "." || segment == "..");
    assert!(!climbs || path.may_climb(), "a decoded segment climbs, but may_climb is false");
}

/// The same path with all letters and digits percent-encoded, except those of percent-encodings.
fn reencoded(path: &str) -> String {
    let mut out = String::new();
    let mut rest = path;
    while let Some(c) = rest.chars().next() {
        let is_encoding = rest.as_bytes().get(1..3).is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit));
        let taken = if c == '%' && is_encoding { 3 } else { c.len_utf8() };
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' => out += &format!("%{:02x}", u32::from(c)),
            _ => out += &rest[..taken],
        }
        rest = &rest[taken..];
    }
    out
}
