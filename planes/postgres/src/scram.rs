//! SCRAM-SHA-256 verifiers (RFC 5803), so that neither an SQL statement nor the state ever contains a password.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use rand::RngCore;
use sha2::{Digest, Sha256};

const ITERATIONS: u32 = 4096;

/// A new verifier in the format of `pg_authid.rolpassword`. Only for printable ASCII, which SASLprep
/// does not change.
pub(crate) fn verifier(password: &str) -> String {
    let mut salt = [0u8; 16];
    rand::rng().fill_bytes(&mut salt);
    with_salt(password, &salt)
}

/// Whether the verifier was made from this password.
pub(crate) fn matches(verifier: &str, password: &str) -> bool {
    let salt = verifier.split('$').nth(1).and_then(|part| part.split(':').nth(1));
    salt.and_then(|s| STANDARD.decode(s).ok()).is_some_and(|salt| with_salt(password, &salt) == verifier)
}

fn with_salt(password: &str, salt: &[u8]) -> String {
    let salted = pbkdf2(password.as_bytes(), salt);
    let stored = Sha256::digest(mac(&salted, &[b"Client Key"]));
    let server = mac(&salted, &[b"Server Key"]);
    let text = |bytes: &[u8]| STANDARD.encode(bytes);
    format!("SCRAM-SHA-256${ITERATIONS}:{}${}:{}", text(salt), text(&stored), text(&server))
}

/// RFC 5802's Hi().
fn pbkdf2(password: &[u8], salt: &[u8]) -> [u8; 32] {
    let mut last = mac(password, &[salt, &1u32.to_be_bytes()]);
    let mut sum = last;
    for _ in 1..ITERATIONS {
        last = mac(password, &[&last]);
        sum.iter_mut().zip(last).for_each(|(s, l)| *s ^= l);
    }
    sum
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verifier_matches_only_its_own_password() {
        let v = verifier("correct horse");
        assert!(matches(&v, "correct horse"));
        assert!(!matches(&v, "correct horsf"));
        assert!(!matches("md5abc", "x"));
    }

    /// The example exchange of RFC 7677, section 3: the server's signature follows from the server key.
    #[test]
    fn agrees_with_rfc_7677() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let salted = pbkdf2(b"pencil", &salt);
        let server_key = mac(&salted, &[b"Server Key"]);
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let auth = format!(
            "n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}"
        );
        assert_eq!(
            STANDARD.encode(mac(&server_key, &[auth.as_bytes()])),
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        );
    }
}
