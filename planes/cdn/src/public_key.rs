//! The public keys of signed URLs and cookies. CreatePublicKey and the check of signatures parse a key with the same
//! function.

use base64::{Engine, engine::general_purpose::STANDARD};
use rsa::{RsaPublicKey, pkcs8::DecodePublicKey, traits::PublicKeyParts};

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

/// An RSA public key.
#[derive(Clone, Debug)]
pub struct PublicKey(pub(crate) RsaPublicKey);

impl PublicKey {
    /// Reads PEM, with lines of any length: the text often went through YAML, JSON or a shell. The error completes "the key …".
    pub fn from_pem(pem: &str) -> Result<PublicKey, &'static str> {
        let inner = pem.trim().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END));
        let inner = inner.ok_or("is not in PEM form (BEGIN PUBLIC KEY)")?;
        let base64: String = inner.split_ascii_whitespace().collect();
        let der = STANDARD.decode(base64).map_err(|_| "has lines that are not base64")?;
        RsaPublicKey::from_public_key_der(&der).map(PublicKey).map_err(|_| "is not an RSA public key")
    }

    /// Of the modulus.
    pub fn bits(&self) -> usize {
        self.0.n().bits()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rsa::pkcs8::{EncodePublicKey, LineEnding};

    #[test]
    fn lines_may_have_any_length() {
        let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 1024).unwrap().to_public_key();
        let pem = key.to_public_key_pem(LineEnding::LF).unwrap();
        let base64: String = pem.lines().filter(|l| !l.starts_with('-')).collect();
        let forms = [
            pem.clone(),
            pem.replace('\n', "\r\n"),
            pem.replace('\n', "\n    "),
            format!("{BEGIN}\n{base64}\n{END}"),
            format!("{BEGIN} {base64} {END}"),
        ];
        for form in forms {
            let read = PublicKey::from_pem(&form).unwrap_or_else(|e| panic!("{e}: {form}"));
            assert_eq!((read.0, key.size()), (key.clone(), 128), "{form}");
        }
    }

    #[test]
    fn what_is_no_key() {
        let error = |text: &str| PublicKey::from_pem(text).unwrap_err();
        assert!(error("").contains("PEM"));
        assert!(error(&format!("{BEGIN}\nAAAA")).contains("PEM"));
        assert!(error(&format!("{BEGIN}\nÄ\n{END}")).contains("base64"));
        assert!(error(&format!("{BEGIN}\nAAAA\n{END}")).contains("RSA"));
    }
}
