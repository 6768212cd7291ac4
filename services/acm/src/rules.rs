//! Checks and lookups that operations share.

use crate::{Error, error::invalid};
use escale_base::{Arn, Tag, ids};
use escale_service::Cx;
use escale_tables::acm::{Certificate, CertificateArn};
use std::{collections::BTreeSet, sync::Arc};

/// AWS's quota.
/// Source: <https://docs.aws.amazon.com/acm/latest/userguide/tags-restrictions.html>
const TAGS: usize = 50;

/// The certificate of the region that the client calls.
pub(crate) fn certificate(cx: &Cx<'_>, arn: &str) -> Result<Arc<Certificate>, Error> {
    let parsed: Arn = arn.parse().map_err(|_| Error::InvalidArn(arn.to_owned()))?;
    if parsed.service != "acm" || !parsed.resource.starts_with("certificate/") {
        return Err(Error::InvalidArn(arn.to_owned()));
    }
    let found = cx.tx.get::<Certificate>(arn).filter(|_| parsed.region == cx.region());
    found.ok_or_else(|| Error::NotFound(arn.to_owned()))
}

/// The ARN of a new certificate.
pub(crate) fn new_arn(cx: &Cx<'_>) -> CertificateArn {
    CertificateArn(arn(cx, &ids::random_uuid()))
}

/// The ARN of a certificate by its id; `*` for one that is being created.
pub(crate) fn arn(cx: &Cx<'_>, id: &str) -> String {
    Arn::new("acm", cx.region(), &cx.config.account, format!("certificate/{id}")).to_string()
}

pub(crate) fn tags(tags: &[Tag]) -> Result<(), Error> {
    let keys: BTreeSet<&str> = tags.iter().map(|tag| tag.key.as_str()).collect();
    if keys.len() < tags.len() {
        return Err(Error::InvalidParameter("Tag keys must be unique in one request.".to_owned()));
    }
    if tags.len() > TAGS {
        return Err(Error::TooManyTags(TAGS));
    }
    Ok(())
}

/// A domain name as certificates have it, in lower case: `www.example.com`, `*.example.com`.
pub(crate) fn domain(name: &str) -> Result<String, Error> {
    let bare = name.strip_prefix("*.").unwrap_or(name);
    let label = |label: &str| {
        let letters = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        letters && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    // A top-level domain is nobody's own.
    if name.len() > 253 || !bare.contains('.') || !bare.split('.').all(label) {
        return Err(invalid(format!(
            "'{name}' is not a domain name that a certificate can have. Use for example www.example.com or *.example.com."
        )));
    }
    Ok(name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_names_and_wildcards_of_one_label() {
        for (name, valid) in [
            ("shop.localhost", true),
            ("*.Example.com", true),
            ("_x.example.com", true),
            ("localhost", false),
            ("*.com", false),
            ("*.*.example.com", false),
            ("a*.example.com", false),
            ("-a.example.com", false),
            ("a..example.com", false),
            ("b\u{fc}cher.example.com", false),
        ] {
            assert_eq!(domain(name).is_ok(), valid, "{name}");
        }
    }
}
