//! Signature Version 4: the claimed signer of a request, the proof, and the constraints on its body.
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>
//!
//! [`Verifier::examine`] checks everything that depends on the head alone, [`Unproven::prove`] the signature. [`BodyReader`]
//! then reads the body piece by piece, removes its framing and checks its hash, chunk signatures and checksums. [`sign()`]
//! signs requests.

mod body;
mod canonical;
mod chunked;
mod claim;
mod sign;
mod verify;

pub use body::{BodyEnd, BodyReader, Payload};
pub use claim::{Claim, scope_service};
pub use sign::{Content, Credentials, SignError, Signer, sign};
pub use verify::{Authentication, Unproven, Verifier};

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

type Key = [u8; 32];

fn hmac(key: &[u8], text: &str) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length").chain_update(text.as_bytes())
}

fn hmac_key(key: &[u8], text: &str) -> Key {
    hmac(key, text).finalize().into_bytes().into()
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Whether `signature` is that of a text itself, such as the policy of a form: of no request. `scope` is the day, the region and
/// the service.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-authentication-HTTPPOST.html>
pub fn has_signature(secret: &str, scope: (&str, &str, &str), text: &str, signature: &str) -> bool {
    let (date, region, service) = scope;
    let key = signing_key(secret, date, region, service);
    // Compared in constant time.
    hex::decode(signature).is_ok_and(|signature| hmac(&key, text).verify_slice(&signature).is_ok())
}

/// The key that signs for one day, region and service.
fn signing_key(secret: &str, date: &str, region: &str, service: &str) -> Key {
    let day = hmac_key(format!("AWS4{secret}").as_bytes(), date);
    hmac_key(&hmac_key(&hmac_key(&day, region), service), "aws4_request")
}
