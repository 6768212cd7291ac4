//! DNS validation: the record that proves the control of a name, and where it must be.
//!
//! <https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html>

use escale_store::Image;
use escale_tables::route53::{CanonicalName, HostedZone, HostedZoneId, RecordData, RecordSet, RecordType};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// A CNAME record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    /// With a final dot.
    pub(crate) name: String,
    pub(crate) value: String,
}

/// The record for a name. As on AWS it depends on the account and the domain only, so that it proves every later request
/// and renewal, and a wildcard shares it with its parent.
pub(crate) fn proof(account: &str, name: &str) -> Proof {
    let domain = name.strip_prefix("*.").unwrap_or(name).to_ascii_lowercase();
    let mark = |what: &str| hex::encode(&Sha256::digest(format!("{what} {account} {domain}"))[..16]);
    Proof {
        name: format!("_{}.{domain}.", mark("name")),
        value: format!("_{}.acm-validations.aws.", mark("value")),
    }
}

/// The public zone that answers for a name: the one with the longest name.
pub(crate) fn zone(image: &Image, name: &str) -> Option<Arc<HostedZone>> {
    let inside = |zone: &Arc<HostedZone>| {
        let below = name.strip_suffix(zone.name.as_str());
        !zone.private && below.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    image.scan::<HostedZone>().filter(inside).max_by_key(|zone| zone.name.len())
}

/// Whether the public DNS has the record.
pub(crate) fn is_proven(image: &Image, proof: &Proof) -> bool {
    let Some(zone) = zone(image, &proof.name) else { return false };
    let prefix = prefix(&zone.id, &proof.name);
    image.prefix::<RecordSet>(&prefix).any(|set| match &set.data {
        RecordData::Values { values, .. } => {
            set.name == CanonicalName(proof.name.clone())
                && values.iter().any(|value| same_name(value, &proof.value))
        }
        RecordData::Alias { .. } => false,
    })
}

/// The keys of a name's CNAME records.
fn prefix(zone: &HostedZoneId, name: &str) -> String {
    format!("{zone}/{}/{}/", RecordSet::reversed(name), RecordType::Cname)
}

/// A value may lack the final dot.
fn same_name(a: &str, b: &str) -> bool {
    a.trim_end_matches('.').eq_ignore_ascii_case(b.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_shares_the_record_of_its_parent() {
        let one = proof("000000000000", "Example.com");
        assert_eq!(one, proof("000000000000", "*.example.com"));
        assert!(one.name.ends_with(".example.com."), "{one:?}");
        assert_ne!(one, proof("111111111111", "example.com"), "another account cannot use the record");
        assert_ne!(one.value, proof("000000000000", "www.example.com").value);
    }
}
