//! Verifies a claim: date, scope, signed headers, signature.

use super::body::{Payload, payload};
use super::canonical::{self, Canonical};
use super::{Claim, EMPTY_SHA256, Key, UNSIGNED, sha256_hex, signing_key};
use crate::fault::{incomplete_signature, missing_authentication, signature_mismatch};
use crate::head::header;
use crate::{Target, sigv4::hmac};
use escale_base::{AwsError, ErrorKind, Secret, Timestamp, limits};
use hmac::Mac;
use http::request::Parts;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// The difference between the client's and the server's clock that AWS accepts.
const SKEW_MS: i64 = 15 * 60 * 1000;

const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS \
                        Secret Access Key and signing method. Consult the service documentation for details.";

/// The proven sender of a request. A value of this type exists only after the signature was verified.
#[derive(Clone, Debug)]
pub struct Authentication {
    pub access_key: String,
    pub region: String,
    /// The signing name of the service.
    pub service: String,
    /// The caller's secret lookup has checked it: it gets the whole claim.
    pub session_token: Option<String>,
    pub signed_at: Timestamp,
    /// Signed by a presigned URL rather than a header.
    pub presigned: bool,
    /// The constraints on the body, for [`super::BodyReader`].
    pub payload: Payload,
}

/// A request whose head is valid and whose signature is not verified yet.
pub struct Unproven {
    claim: Claim,
    key: Key,
}

impl Unproven {
    pub fn claim(&self) -> &Claim {
        &self.claim
    }

    /// Whether the head is enough to verify the signature, because it declares the body's hash. A forged request is then
    /// refused without reading its body.
    pub fn needs_no_body(&self, parts: &Parts) -> bool {
        self.claim.service == "s3" || parts.headers.contains_key("x-amz-content-sha256")
    }

    /// Verifies the signature. `body` is required if the head does not declare the body's hash
    /// ([`Unproven::needs_no_body`]). For a body that has not arrived yet, pass `None` and check it later with
    /// [`Authentication::payload`].
    pub fn prove(
        self,
        target: &Target,
        parts: &Parts,
        body: Option<&[u8]>,
    ) -> Result<Authentication, AwsError> {
        let Unproven { claim, key } = self;
        let declared = declared_hash(target, parts, &claim, body)?;
        check_signature(target, parts, &claim, &declared, &key)?;
        let payload = payload(parts, &claim, &declared, key, body.is_some())?;
        Ok(Authentication {
            access_key: claim.access_key,
            region: claim.region,
            service: claim.service,
            session_token: claim.session_token,
            signed_at: claim.at,
            presigned: claim.expires_secs.is_some(),
            payload,
        })
    }
}

/// Verifies signatures; caches the derived keys.
#[derive(Default)]
pub struct Verifier {
    /// Keyed by the hash of secret and scope, so that a changed secret never finds the key of the old one.
    keys: Mutex<HashMap<Key, Key>>,
}

impl Verifier {
    pub fn new() -> Verifier {
        Verifier::default()
    }

    /// Checks a request's head before its body is read: the scope fits, the host is signed, the key exists and the date is
    /// near. `Ok(None)` for an unsigned request; the caller decides whether that is allowed
    /// ([`crate::missing_authentication`]).
    ///
    /// `secret_of` looks up the secret of the claim's access key and checks the session token.
    pub fn examine(
        &self,
        target: &Target,
        parts: &Parts,
        now: Timestamp,
        secret_of: impl FnOnce(&Claim) -> Result<Secret<String>, AwsError>,
    ) -> Result<Option<Unproven>, AwsError> {
        let Some(claim) = Claim::read(target, parts)? else { return Ok(None) };
        check_scope(target, &claim)?;
        check_signed_headers(target, parts, &claim)?;
        let secret = secret_of(&claim)?;
        check_time(target, &claim, now)?;
        let key = self.key(&secret, &claim);
        Ok(Some(Unproven { claim, key }))
    }

    /// [`Verifier::examine`] and [`Unproven::prove`] together, for a body that is already in memory or not needed.
    pub fn authenticate(
        &self,
        target: &Target,
        parts: &Parts,
        body: Option<&[u8]>,
        now: Timestamp,
        secret_of: impl FnOnce(&Claim) -> Result<Secret<String>, AwsError>,
    ) -> Result<Option<Authentication>, AwsError> {
        let examined = self.examine(target, parts, now, secret_of)?;
        examined.map(|unproven| unproven.prove(target, parts, body)).transpose()
    }

    fn key(&self, secret: &Secret<String>, claim: &Claim) -> Key {
        // The zero byte separates secret and scope, so that no other pair of them has the same hash input.
        let name: Key = Sha256::new()
            .chain_update(secret.reveal())
            .chain_update([0])
            .chain_update(claim.scope())
            .finalize()
            .into();
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = keys.get(&name) {
            return *key;
        }
        let key = signing_key(secret.reveal(), &claim.date, &claim.region, &claim.service);
        // Entries of earlier days fill the cache and are never used again, so there is no need to select which ones to drop.
        if keys.len() >= limits::SIGNING_KEYS {
            keys.clear();
        }
        keys.insert(name, key);
        key
    }
}

fn check_scope(target: &Target, claim: &Claim) -> Result<(), AwsError> {
    let right = &target.service.signing_name;
    if claim.service != *right {
        let message = format!("Credential should be scoped to correct service: '{right}'.");
        return Err(signature_mismatch(target, message));
    }
    if !claim.amz_date.starts_with(&claim.date) {
        let message = format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{}'.",
            claim.date, claim.amz_date
        );
        return Err(signature_mismatch(target, message));
    }
    Ok(())
}

/// The host must be signed, and for S3 every `x-amz-` header: an unsigned one could have been inserted on the way.
fn check_signed_headers(target: &Target, parts: &Parts, claim: &Claim) -> Result<(), AwsError> {
    let signed = |name: &str| claim.signed_headers.iter().any(|s| s == name);
    if !signed("host") && !signed(":authority") {
        let message = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.";
        return Err(signature_mismatch(target, message));
    }
    if target.service.id != "s3" {
        return Ok(());
    }
    // The canonical request contains the payload's hash even if its header is not signed.
    let amz = |name: &&str| name.starts_with("x-amz-") && *name != "x-amz-content-sha256";
    let unsigned: Vec<&str> =
        parts.headers.keys().map(|k| k.as_str()).filter(amz).filter(|name| !signed(name)).collect();
    if unsigned.is_empty() {
        return Ok(());
    }
    let message = "There were headers present in the request which were not signed";
    Err(AwsError::new(ErrorKind::Denied, "AccessDenied", 403, message)
        .with("HeadersNotSigned", unsigned.join(", ")))
}

fn check_time(target: &Target, claim: &Claim, now: Timestamp) -> Result<(), AwsError> {
    let s3 = target.service.id == "s3";
    let early = claim.at.since_ms(now);
    if let Some(expires) = claim.expires_secs {
        let end = claim.at.plus_ms(expires * 1000);
        if now > end {
            let message = if s3 { "Request has expired".into() } else { expired(claim, end, now) };
            let error = if s3 {
                AwsError::new(ErrorKind::Denied, "AccessDenied", 403, message)
            } else {
                signature_mismatch(target, message)
            };
            return Err(error.with("Expires", end.iso8601()).with("ServerTime", now.iso8601()));
        }
        if early > SKEW_MS {
            let message = "Request is not valid yet";
            return Err(if s3 {
                AwsError::new(ErrorKind::Denied, "AccessDenied", 403, message)
            } else {
                signature_mismatch(target, message)
            });
        }
        return Ok(());
    }
    if early.abs() <= SKEW_MS {
        return Ok(());
    }
    if s3 {
        let message = "The difference between the request time and the current time is too large.";
        let error = AwsError::new(ErrorKind::Denied, "RequestTimeTooSkewed", 403, message);
        return Err(error.with("RequestTime", claim.amz_date.clone()).with("ServerTime", now.iso8601()));
    }
    if early > 0 {
        let latest = canonical::amz_date(now.plus_ms(SKEW_MS));
        let message = format!(
            "Signature not yet current: {} is still later than {latest} ({} + 15 min.)",
            claim.amz_date,
            canonical::amz_date(now)
        );
        return Err(signature_mismatch(target, message));
    }
    Err(signature_mismatch(target, expired(claim, now.plus_ms(-SKEW_MS), now)))
}

fn expired(claim: &Claim, end: Timestamp, now: Timestamp) -> String {
    let (end, now) = (canonical::amz_date(end), canonical::amz_date(now));
    format!("Signature expired: {} is now earlier than {end} ({now} - 15 min.)", claim.amz_date)
}

/// The payload's hash, or the keyword in its place, in the canonical request.
fn declared_hash(
    target: &Target,
    parts: &Parts,
    claim: &Claim,
    body: Option<&[u8]>,
) -> Result<String, AwsError> {
    if let Some(declared) = header(&parts.headers, "x-amz-content-sha256") {
        return Ok(declared.to_owned());
    }
    let s3 = claim.service == "s3";
    match (s3, claim.expires_secs.is_some(), body) {
        (true, true, _) => Ok(UNSIGNED.to_owned()),
        (true, false, _) => {
            let message = "Missing required header for this request: x-amz-content-sha256";
            Err(AwsError::new(ErrorKind::Invalid, "InvalidRequest", 400, message))
        }
        (false, _, Some([])) => Ok(EMPTY_SHA256.to_owned()),
        (false, _, Some(body)) => Ok(sha256_hex(body)),
        (false, _, None) => {
            Err(incomplete_signature(target, "The body must be declared by the header x-amz-content-sha256"))
        }
    }
}

fn check_signature(
    target: &Target,
    parts: &Parts,
    claim: &Claim,
    declared: &str,
    key: &Key,
) -> Result<(), AwsError> {
    let canonical = Canonical::new(parts, &claim.signed_headers, declared).map_err(|name| {
        signature_mismatch(target, format!("The signed header {name} is not in the request."))
    })?;
    let path = parts.uri.path();
    // Any of S3's forms may match: see `canonical::s3_paths`.
    let paths = if claim.service == "s3" {
        canonical::s3_paths(path)
    } else {
        vec![canonical::normalised_path(path)]
    };
    let given = hex::decode(&claim.signature).unwrap_or_default();
    let fits = |path: &String| {
        let to_sign = canonical::string_to_sign(&claim.amz_date, &claim.scope(), &canonical.with_path(path));
        hmac(key, &to_sign).verify_slice(&given).is_ok()
    };
    if paths.iter().any(fits) {
        return Ok(());
    }
    let error = signature_mismatch(target, MISMATCH);
    if target.service.id != "s3" {
        return Err(error);
    }
    // S3 returns what it signed, so that the client's author can find an encoding mistake.
    let request = canonical.with_path(&paths[0]);
    let to_sign = canonical::string_to_sign(&claim.amz_date, &claim.scope(), &request);
    let error = error.with("AWSAccessKeyId", claim.access_key.clone()).with("StringToSign", to_sign);
    Err(error.with("SignatureProvided", claim.signature.clone()).with("CanonicalRequest", request))
}

impl Authentication {
    /// The authentication of a request, or the service's error for an unsigned one.
    pub fn demanded(found: Option<Authentication>, target: &Target) -> Result<Authentication, AwsError> {
        found.ok_or_else(|| missing_authentication(target))
    }
}
