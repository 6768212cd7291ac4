//! CloudFront's signed URLs with a canned policy.
//!
//! Source: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-canned-policy.html>

use base64::{Engine, engine::general_purpose::STANDARD};
use rsa::{
    RsaPrivateKey,
    pkcs1::DecodeRsaPrivateKey,
    pkcs1v15::SigningKey,
    pkcs8::DecodePrivateKey,
    signature::{SignatureEncoding, Signer as _},
};
use sha1::Sha1;

pub struct Signer {
    key_id: String,
    key: SigningKey<Sha1>,
}

impl Signer {
    pub fn new(key_id: String, pem: &str) -> Result<Signer, String> {
        let key = RsaPrivateKey::from_pkcs8_pem(pem)
            .or_else(|_| RsaPrivateKey::from_pkcs1_pem(pem))
            .map_err(|e| format!("CDN_PRIVATE_KEY is no RSA key in PEM: {e}"))?;
        Ok(Signer { key_id, key: SigningKey::new(key) })
    }

    /// Signs a URL without a query; it is valid until `expires` (seconds since 1970).
    pub fn sign(&self, url: &str, expires: u64) -> String {
        let policy = format!(
            r#"{{"Statement":[{{"Resource":"{url}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}}}]}}"#
        );
        let signature = STANDARD.encode(self.key.sign(policy.as_bytes()).to_bytes());
        let signature: String = signature
            .chars()
            .map(|c| match c {
                '+' => '-',
                '=' => '_',
                '/' => '~',
                other => other,
            })
            .collect();
        format!("{url}?Expires={expires}&Signature={signature}&Key-Pair-Id={}", self.key_id)
    }
}
