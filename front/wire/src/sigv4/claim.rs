//! The signature in a request, parsed but not verified.

use super::ALGORITHM;
use crate::fault::incomplete_signature;
use crate::head::{header, query_pairs};
use crate::{Target, sigv4::canonical};
use escale_base::{AwsError, ErrorKind, Timestamp};
use http::request::Parts;

/// The parameters of a presigned query. Each may occur once at most: a signature covers both values, and two programs could
/// use different ones.
const QUERY: [&str; 7] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
    "X-Amz-Security-Token",
];

/// A signature with its scope, from the `Authorization` header or a presigned query.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    pub access_key: String,
    pub region: String,
    pub service: String,
    /// `20261122`
    pub date: String,
    /// The time of signing; `amz_date` is its original text.
    pub at: Timestamp,
    pub(super) amz_date: String,
    pub(super) signed_headers: Vec<String>,
    pub(super) signature: String,
    pub session_token: Option<String>,
    /// The lifetime of a presigned URL in seconds; `None` for a signature in the header.
    pub expires_secs: Option<i64>,
}

impl Claim {
    /// `None` if the request is unsigned.
    pub fn read(target: &Target, parts: &Parts) -> Result<Option<Claim>, AwsError> {
        let query = query_pairs(parts);
        let has = |name: &str| query.iter().any(|(k, _)| k == name);
        let in_query = has("X-Amz-Algorithm") || has("X-Amz-Credential");
        let version_2 = has("AWSAccessKeyId") && has("Signature");
        if let Some(line) = header(&parts.headers, "authorization") {
            if in_query || version_2 {
                return Err(two_signatures(target, line));
            }
            return from_header(target, parts, line).map(Some);
        }
        if in_query {
            return from_query(target, &query).map(Some);
        }
        if version_2 {
            return Err(refused(target, "Signature Version 2 (AWSAccessKeyId in the URL)"));
        }
        Ok(None)
    }

    /// `20261122/us-east-1/s3/aws4_request`
    pub(super) fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }
}

/// The service in the credential scope; ignores the rest of the signature.
pub fn scope_service(parts: &Parts) -> Option<String> {
    let of_header = header(&parts.headers, "authorization")
        .and_then(|line| parameter(line.strip_prefix(ALGORITHM)?, "Credential"))
        .map(str::to_owned);
    let credential = of_header.or_else(|| {
        let query = query_pairs(parts);
        query.into_iter().find(|(k, _)| k == "X-Amz-Credential").map(|(_, v)| v)
    })?;
    credential.rsplit('/').nth(1).map(str::to_owned)
}

fn parameter<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
}

fn refused(target: &Target, what: &str) -> AwsError {
    if target.service.id == "s3" {
        let message =
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.";
        return AwsError::new(ErrorKind::Invalid, "InvalidRequest", 400, message);
    }
    incomplete_signature(target, format!("{what} is not supported; please use {ALGORITHM}."))
}

/// The request has a signature in the header and another one in the query.
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
fn two_signatures(target: &Target, line: &str) -> AwsError {
    let message = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string \
                   parameter or the Authorization header should be specified";
    if target.service.id == "s3" {
        let error = AwsError::new(ErrorKind::Invalid, "InvalidArgument", 400, message);
        return error.with("ArgumentName", "Authorization").with("ArgumentValue", line);
    }
    incomplete_signature(target, message)
}

fn from_header(target: &Target, parts: &Parts, line: &str) -> Result<Claim, AwsError> {
    let Some(rest) = line.strip_prefix(ALGORITHM).and_then(|r| r.strip_prefix(' ')) else {
        let scheme = line.split(' ').next().unwrap_or("");
        return Err(refused(target, &format!("The authorization scheme {scheme:?}")));
    };
    let needed = |name: &str| {
        let missing =
            || incomplete_signature(target, format!("Authorization header requires '{name}' parameter."));
        parameter(rest, name).filter(|v| !v.is_empty()).ok_or_else(missing)
    };
    let amz_date = match header(&parts.headers, "x-amz-date") {
        Some(date) => date.to_owned(),
        None => {
            // Older clients sign the `Date` header instead.
            let date = header(&parts.headers, "date").and_then(Timestamp::parse_http_date);
            let missing =
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.";
            canonical::amz_date(date.ok_or_else(|| incomplete_signature(target, missing))?)
        }
    };
    let signed = Signed {
        credential: needed("Credential")?,
        signed_headers: needed("SignedHeaders")?,
        signature: needed("Signature")?,
        amz_date,
        session_token: header(&parts.headers, "x-amz-security-token").map(str::to_owned),
        expires_secs: None,
    };
    assemble(target, signed)
}

fn from_query(target: &Target, query: &[(String, String)]) -> Result<Claim, AwsError> {
    let incomplete = |message: String| {
        if target.service.id == "s3" {
            return AwsError::new(ErrorKind::Invalid, "AuthorizationQueryParametersError", 400, message);
        }
        incomplete_signature(target, message)
    };
    let find = |name: &str| query.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str());
    if let Some(name) = QUERY.iter().find(|name| query.iter().filter(|(k, _)| k == *name).count() > 1) {
        return Err(incomplete(format!("The query-string authentication has the parameter {name} twice.")));
    }
    let needed = |name: &str| {
        let missing =
            || incomplete(format!("The query-string authentication requires the parameter {name}."));
        find(name).filter(|v| !v.is_empty()).ok_or_else(missing)
    };
    let algorithm = needed("X-Amz-Algorithm")?;
    if algorithm != ALGORITHM {
        return Err(incomplete(format!("X-Amz-Algorithm only supports \"{ALGORITHM}\", not {algorithm:?}")));
    }
    let expires: i64 = match find("X-Amz-Expires") {
        Some(text) => text.parse().map_err(|_| incomplete("X-Amz-Expires should be a number".into()))?,
        // S3 requires it; for other services a presigned URL is valid for the clock tolerance of 15 minutes.
        None if target.service.id == "s3" => return Err(incomplete("X-Amz-Expires is missing".into())),
        None => 900,
    };
    if !(0..=604_800).contains(&expires) {
        return Err(incomplete("X-Amz-Expires must be between 0 and a week (604800 seconds)".into()));
    }
    let signed = Signed {
        credential: needed("X-Amz-Credential")?,
        signed_headers: needed("X-Amz-SignedHeaders")?,
        signature: needed("X-Amz-Signature")?,
        amz_date: needed("X-Amz-Date")?.to_owned(),
        session_token: find("X-Amz-Security-Token").map(str::to_owned),
        expires_secs: Some(expires),
    };
    assemble(target, signed)
}

struct Signed<'a> {
    credential: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
    amz_date: String,
    session_token: Option<String>,
    expires_secs: Option<i64>,
}

fn assemble(target: &Target, signed: Signed<'_>) -> Result<Claim, AwsError> {
    // Split from the right: only an access key may contain slashes.
    let scope: Vec<&str> = signed.credential.rsplitn(5, '/').collect();
    let &[end, service, region, date, access_key] = scope.as_slice() else {
        let message = format!(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{}'",
            signed.credential
        );
        return Err(incomplete_signature(target, message));
    };
    if end != "aws4_request" {
        let message =
            format!("Credential should be scoped with a valid terminator: 'aws4_request', not '{end}'.");
        return Err(incomplete_signature(target, message));
    }
    let at = canonical::parse_amz_date(&signed.amz_date).ok_or_else(|| {
        incomplete_signature(
            target,
            format!("Date must be in ISO-8601 'basic format'. Got '{}'.", signed.amz_date),
        )
    })?;
    Ok(Claim {
        access_key: access_key.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
        date: date.to_owned(),
        at,
        amz_date: signed.amz_date,
        signed_headers: signed.signed_headers.split(';').map(str::to_owned).collect(),
        signature: signed.signature.to_owned(),
        session_token: signed.session_token,
        expires_secs: signed.expires_secs,
    })
}
