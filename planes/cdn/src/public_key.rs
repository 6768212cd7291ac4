//! The public keys of signed URLs and cookies. CreatePublicKey and the check of signatures parse a key with the same
//! function.

use base64::{Engine, engine::general_purpose::STANDARD};
use p256::ecdsa::{self, signature::hazmat::PrehashVerifier};
use rsa::{
    Pkcs1v15Sign, RsaPublicKey,
    pkcs8::DecodePublicKey,
    sha2::{Digest as _, Sha256},
    traits::PublicKeyParts,
};
use sha1::Sha1;

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

/// A public key.
#[derive(Clone, Debug)]
pub enum PublicKey {
    Rsa(RsaPublicKey),
    /// On the curve P-256, also called prime256v1.
    P256(ecdsa::VerifyingKey),
}

/// How a signed message was hashed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
}

impl PublicKey {
    /// Reads PEM, with lines of any length: the text often went through YAML, JSON or a shell. The error completes "the key …".
    pub fn from_pem(pem: &str) -> Result<PublicKey, &'static str> {
        let inner = pem.trim().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END));
        let inner = inner.ok_or("is not in PEM form (BEGIN PUBLIC KEY)")?;
        let base64: String = inner.split_ascii_whitespace().collect();
        let der = STANDARD.decode(base64).map_err(|_| "has lines that are not base64")?;
        if let Ok(key) = RsaPublicKey::from_public_key_der(&der) {
            return Ok(PublicKey::Rsa(key));
        }
        let key = ecdsa::VerifyingKey::from_public_key_der(&der);
        key.map(PublicKey::P256).map_err(|_| "is neither an RSA public key nor one on the curve P-256")
    }

    /// Of the modulus; `None` for a key on a curve.
    pub fn rsa_bits(&self) -> Option<usize> {
        match self {
            PublicKey::Rsa(key) => Some(key.n().bits()),
            PublicKey::P256(_) => None,
        }
    }

    /// Whether `signature` is this key's for the message. ECDSA signatures are in ASN.1 form, as OpenSSL writes them.
    pub(crate) fn verifies(&self, message: &[u8], hash: Hash, signature: &[u8]) -> bool {
        let digest = match hash {
            Hash::Sha1 => Sha1::digest(message).to_vec(),
            Hash::Sha256 => Sha256::digest(message).to_vec(),
        };
        match self {
            PublicKey::Rsa(key) => {
                let scheme = match hash {
                    Hash::Sha1 => Pkcs1v15Sign::new::<Sha1>(),
                    Hash::Sha256 => Pkcs1v15Sign::new::<Sha256>(),
                };
                key.verify(scheme, &digest, signature).is_ok()
            }
            PublicKey::P256(key) => {
                ecdsa::Signature::from_der(signature).is_ok_and(|s| key.verify_prehash(&digest, &s).is_ok())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use p256::ecdsa::signature::hazmat::PrehashSigner;
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
            assert!(matches!(&read, PublicKey::Rsa(same) if *same == key), "{form}");
            assert_eq!(read.rsa_bits(), Some(1024));
        }
    }

    #[test]
    fn verifies_signatures_of_p256_keys() {
        let key = ecdsa::SigningKey::random(&mut rsa::rand_core::OsRng);
        let pem = key.verifying_key().to_public_key_pem(LineEnding::LF).unwrap();
        let public = PublicKey::from_pem(&pem).unwrap();
        for (hash, digest) in
            [(Hash::Sha1, Sha1::digest("m").to_vec()), (Hash::Sha256, Sha256::digest("m").to_vec())]
        {
            let signature: ecdsa::Signature = key.sign_prehash(&digest).unwrap();
            let der = signature.to_der();
            assert!(public.verifies(b"m", hash, der.as_bytes()), "{hash:?}");
            assert!(!public.verifies(b"n", hash, der.as_bytes()), "{hash:?}");
            assert!(!public.verifies(b"m", hash, &signature.to_bytes()), "{hash:?} without ASN.1");
        }
        let other = ecdsa::SigningKey::random(&mut rsa::rand_core::OsRng);
        let signature: ecdsa::Signature = other.sign_prehash(&Sha1::digest("m")).unwrap();
        assert!(!public.verifies(b"m", Hash::Sha1, signature.to_der().as_bytes()));
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
