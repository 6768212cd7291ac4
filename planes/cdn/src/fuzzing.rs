//! For `tests/fuzz`: parsing of a viewer's signature before and after verification.

use crate::{
    authority::Authority,
    signed::{Asked, SignedAccess, allows},
};
use escale_base::{Timestamp, path::RawPath};
use http::{HeaderMap, Uri};

/// Parses the bytes as the query of a signed URL, as its cookies, and as the policy that it carries.
pub fn signed_policy(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut headers = HeaderMap::new();
    if let Ok(cookie) = http::HeaderValue::from_bytes(bytes) {
        headers.insert(http::header::COOKIE, cookie);
    }
    let Some(authority) =
        Authority::of(&Uri::from_static("https://cdn.test/a/b.png"), &HeaderMap::new(), true)
    else {
        return;
    };
    let asked = |query| Asked {
        https: true,
        authority: &authority,
        path: RawPath::new("/a/b.png"),
        query,
        headers: &headers,
        client: [10, 0, 0, 1].into(),
        now: Timestamp(1_700_000_000_000),
    };
    let Ok(access) = SignedAccess::parse(&[]) else { return };
    for query in [Some(&*text), None] {
        assert!(access.verify(&asked(query)).is_err(), "a signature was accepted without any key");
    }
    if let Ok(policy) = serde_json::from_slice(bytes) {
        let asked = asked(None);
        // Allowed or denied: the decision must not panic.
        let _ = allows(&policy, "https://cdn.test/a/b.png", &asked);
    }
}
