//! Pictures: stored in the media bucket, shown through the CDN by a signed URL with a time limit.

use crate::{s3::Bucket, signed_url::Signer};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use shop_common::variable;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

pub type Error = shop_common::http::Error;

/// How long a URL is valid, in seconds.
const VALID_S: u64 = 3600;
/// URLs kept for reuse; further ones are signed for each request.
const KEPT: usize = 10_000;

pub struct Pictures {
    bucket: Bucket,
    prefix: String,
    url: String,
    signer: Arc<Signer>,
    /// Signing takes a millisecond, and browsers cache by URL: a URL is reused for half of its lifetime.
    signed: Mutex<HashMap<String, (String, u64)>>,
}

impl Pictures {
    /// From `MEDIA_BUCKET`, `MEDIA_PREFIX`, `MEDIA_URL`, `CDN_KEY_ID`, `CDN_PRIVATE_KEY`.
    pub fn from_environment() -> Result<Pictures, String> {
        Ok(Pictures {
            bucket: Bucket::from_environment(variable("MEDIA_BUCKET")?)?,
            prefix: variable("MEDIA_PREFIX")?,
            url: variable("MEDIA_URL")?,
            signer: Arc::new(Signer::new(variable("CDN_KEY_ID")?, &variable("CDN_PRIVATE_KEY")?)?),
            signed: Mutex::default(),
        })
    }

    /// Stores the picture and returns its key. The key contains the content's hash, so that no cache can
    /// show an older picture.
    pub async fn store(&self, id: i64, kind: &str, picture: Bytes) -> Result<String, Error> {
        let hash: String = Sha256::digest(&picture).iter().take(8).map(|b| format!("{b:02x}")).collect();
        let key = format!("{}items/{id}-{hash}", self.prefix);
        self.bucket.put(&key, kind, picture).await?;
        Ok(key)
    }

    /// The URL of the picture, and its expiry (seconds since 1970).
    pub fn url(&self, key: &str) -> Result<(String, u64), Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let mut signed = self.signed.lock().map_err(|_| "a signature failed before")?;
        if let Some((url, expires)) = signed.get(key).filter(|(_, expires)| now + VALID_S / 2 < *expires) {
            return Ok((url.clone(), *expires));
        }
        let rest = key.strip_prefix(&self.prefix).unwrap_or(key);
        let expires = now + VALID_S;
        let url = self.signer.sign(&format!("{}/{rest}", self.url), expires);
        if signed.len() >= KEPT {
            signed.clear();
        }
        signed.insert(key.to_owned(), (url.clone(), expires));
        Ok((url, expires))
    }
}
