//! Keys of issued certificates.

use crate::KeyKind;
use escale_base::PlaneError;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384};
use rsa::{
    RsaPrivateKey,
    pkcs8::{EncodePrivateKey, LineEnding},
};

/// A new key.
pub(crate) fn generate(kind: KeyKind) -> Result<KeyPair, PlaneError> {
    let failed = |error: &dyn std::fmt::Display| {
        PlaneError::plane(format!("cannot generate a {kind:?} key")).because(error.to_string())
    };
    match kind {
        KeyKind::P256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|e| failed(&e)),
        KeyKind::P384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).map_err(|e| failed(&e)),
        KeyKind::Rsa2048 => {
            // ring signs with RSA keys but generates none.
            let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).map_err(|e| failed(&e))?;
            let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|e| failed(&e))?;
            KeyPair::from_pem(&pem).map_err(|e| failed(&e))
        }
    }
}
