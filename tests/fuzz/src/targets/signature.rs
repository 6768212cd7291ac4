//! Signature Version 4: heads, presigned URLs, and framed bodies.

use crate::request;
use bytes::Bytes;
use escale_base::{Secret, Timestamp};
use escale_wire::{
    identify,
    sigv4::{BodyReader, Payload, Verifier},
};
use std::sync::LazyLock;

/// Random, so that no input has a signature made with it.
static SECRET: LazyLock<String> = LazyLock::new(|| format!("{:032x}", rand::random::<u128>()));

pub(crate) fn check(bytes: &[u8]) {
    let Some((parts, body)) = request(bytes) else { return };
    let payload = Payload::anonymous(&parts.headers);
    if let Ok(mut reader) = BodyReader::new(&payload, &parts.headers) {
        let mut out = Vec::new();
        let fed = body.chunks(13).try_for_each(|piece| reader.feed(Bytes::copy_from_slice(piece), &mut out));
        if fed.is_ok() && reader.finish().is_ok() {
            let length: usize = out.iter().map(Bytes::len).sum();
            assert!(length <= body.len(), "a body is longer than its frames");
        }
    }
    let Ok(target) = identify(&parts, body) else { return };
    // The corpus was signed at this time. With another one, the check of the date would refuse every input first.
    let now = Timestamp(1_700_000_000_000);
    for body in [Some(body), None] {
        let secret = |_: &_| Ok(Secret::new(SECRET.clone()));
        let found = Verifier::new().authenticate(&target, &parts, body, now, secret);
        assert!(!matches!(found, Ok(Some(_))), "a signature that was made without the key is accepted");
    }
}
