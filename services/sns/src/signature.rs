//! The key that signs messages. Its certificate is issued by the installation's authority for names inside the cloud.
//!
//! Verifiers of AWS's SDKs accept certificates of `sns.REGION.amazonaws.com` only, which no installation can have. A program that
//! verifies messages must accept `http://api.escale.internal/SimpleNotificationService-….pem`.

use base64::{Engine, engine::general_purpose::STANDARD};
use escale_authority::{Authority, KeyKind, Leaf, Purpose};
use escale_base::Timestamp;
use escale_engine::{Plan, Reconciler, StepError};
use escale_service::{Cloud, Config};
use escale_store::{Change, Image, Store, StoreError};
use escale_tables::sns::{SignatureVersion, SigningKey, Topic};
use rsa::{Pkcs1v15Sign, RsaPrivateKey, pkcs8::DecodePrivateKey};
use sha1::{Digest, Sha1};
use sha2::Sha256;
use std::{collections::BTreeSet, sync::Arc};

/// The key of the only row.
pub(crate) const KEY: &str = "key";

const DAY_MS: i64 = 24 * 3_600_000;
/// A new key is issued this long before the certificate ends.
const RENEW_MS: i64 = 30 * DAY_MS;
const VALID_MS: i64 = 365 * DAY_MS;

/// Issues the key when the first topic exists.
pub(crate) struct Keys {
    pub(crate) store: Store,
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) authority: Arc<dyn Authority>,
}

impl Reconciler for Keys {
    type Step = Timestamp;
    const NAME: &'static str = "sns.signing_key";
    const WATCHES: &'static [&'static str] = &["sns_topic", "sns_signing_key"];

    fn concerned(&self, image: &Image, _: &Change) -> BTreeSet<String> {
        self.all(image)
    }

    fn all(&self, _: &Image) -> BTreeSet<String> {
        BTreeSet::from([KEY.to_owned()])
    }

    fn plan(&self, image: &Image, _: &str, now: Timestamp) -> Plan<Timestamp> {
        if image.scan::<Topic>().next().is_none() {
            return Plan::Done;
        }
        match image.get::<SigningKey>(KEY).map(|key| key.not_after.plus_ms(-RENEW_MS)) {
            Some(renew) if now < renew => Plan::wait_until(renew, "the signing key is valid"),
            _ => Plan::Step(now),
        }
    }

    async fn act(&self, _: &str, now: Timestamp) -> Result<(), StepError> {
        let not_after = now.plus_ms(VALID_MS);
        let leaf = Leaf {
            names: vec![Config::api_name()],
            key: KeyKind::Rsa2048,
            not_before: now.plus_ms(-DAY_MS),
            not_after,
        };
        let issued = self.authority.issue(Purpose::Workloads, leaf).await?;
        let certificate_pem = format!("{}{}", issued.certificate_pem, issued.chain_pem);
        let row = SigningKey { id: KEY.to_owned(), certificate_pem, key_pem: issued.key_pem, not_after };
        self.store.write(|tx| {
            tx.put(row);
            Ok::<_, StoreError>(())
        })?;
        let _ = &self.cloud;
        Ok(())
    }
}

/// The path of the certificate at the API.
pub(crate) fn path(key: &SigningKey) -> String {
    let digest = Sha256::digest(key.certificate_pem.as_bytes());
    let name: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("/SimpleNotificationService-{name}.pem")
}

pub(crate) fn sign(key: &SigningKey, version: SignatureVersion, text: &str) -> Result<String, String> {
    let private = RsaPrivateKey::from_pkcs8_pem(key.key_pem.reveal()).map_err(|e| e.to_string())?;
    let signed = match version {
        SignatureVersion::One => private.sign(Pkcs1v15Sign::new::<Sha1>(), &Sha1::digest(text)),
        SignatureVersion::Two => private.sign(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(text)),
    };
    Ok(STANDARD.encode(signed.map_err(|e| e.to_string())?))
}
