//! Signs Escale's own requests: the CDN's to its origins and the command line's to the daemon.

use super::canonical::{self, Canonical};
use super::{ALGORITHM, UNSIGNED, hmac, sha256_hex, signing_key};
use crate::head::authority;
use escale_base::{Secret, Timestamp};
use hmac::Mac;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderValue, request::Parts};

pub struct Credentials<'a> {
    pub access_key: &'a str,
    pub secret: &'a Secret<String>,
    pub session_token: Option<&'a str>,
}

/// The credentials and the scope of a signature.
pub struct Signer<'a> {
    pub credentials: Credentials<'a>,
    pub region: &'a str,
    /// The signing name: `s3`, `cloudformation`.
    pub service: &'a str,
}

/// The body to sign.
pub enum Content<'a> {
    Whole(&'a [u8]),
    /// A stream that is not hashed; only S3 accepts this.
    Unsigned,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    #[error("the request names no host: set the Host header or use an absolute URI")]
    NoHost,
    #[error("the value of {0} is not allowed in a header")]
    Header(&'static str),
}

/// Adds `Host`, `X-Amz-Date`, `X-Amz-Content-Sha256`, `X-Amz-Security-Token` and `Authorization`. The host, the content
/// type and all `x-amz-` headers are signed; headers added later are not.
pub fn sign(
    parts: &mut Parts,
    signer: &Signer<'_>,
    content: Content<'_>,
    now: Timestamp,
) -> Result<(), SignError> {
    let host = authority(parts).to_owned();
    if host.is_empty() {
        return Err(SignError::NoHost);
    }
    let amz_date = canonical::amz_date(now);
    let payload = match content {
        Content::Whole(body) => sha256_hex(body),
        Content::Unsigned => UNSIGNED.to_owned(),
    };
    let mut set = |name: &'static str, value: &str| {
        let value = HeaderValue::from_str(value).map_err(|_| SignError::Header(name))?;
        parts.headers.insert(name, value);
        Ok(())
    };
    set(HOST.as_str(), &host)?;
    set("x-amz-date", &amz_date)?;
    set("x-amz-content-sha256", &payload)?;
    if let Some(token) = signer.credentials.session_token {
        set("x-amz-security-token", token)?;
    }
    let mut names: Vec<String> = parts.headers.keys().map(|k| k.as_str().to_owned()).collect();
    names.retain(|n| n == "host" || n == "content-type" || n.starts_with("x-amz-"));
    names.sort();
    let canonical =
        Canonical::new(parts, &names, &payload).map_err(|_| SignError::Header("a signed header"))?;
    let path = match signer.service {
        // S3 accepts the path as it is sent: see `canonical::s3_paths`.
        "s3" => parts.uri.path().to_owned(),
        _ => canonical::normalised_path(parts.uri.path()),
    };
    let date = &amz_date[..8];
    let scope = format!("{date}/{}/{}/aws4_request", signer.region, signer.service);
    let key = signing_key(signer.credentials.secret.reveal(), date, signer.region, signer.service);
    let to_sign = canonical::string_to_sign(&amz_date, &scope, &canonical.with_path(&path));
    let signature = hex::encode(hmac(&key, &to_sign).finalize().into_bytes());
    let line = format!(
        "{ALGORITHM} Credential={}/{scope}, SignedHeaders={}, Signature={signature}",
        signer.credentials.access_key,
        names.join(";")
    );
    let line = HeaderValue::from_str(&line).map_err(|_| SignError::Header("authorization"))?;
    parts.headers.insert(AUTHORIZATION, line);
    Ok(())
}
