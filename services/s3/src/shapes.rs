//! Shapes that several operations return.

use crate::choices::{ChecksumAlgorithm, ChecksumType, GranteeType, StoredClass};
use crate::rules::Encoding;
use escale_base::{Timestamp, Wire};
use escale_objects as plane;
use escale_tables::s3::{self, Bucket, Permission, Versioning};

#[derive(Clone, Debug, Wire)]
pub(crate) struct Owner {
    #[wire("ID")]
    pub id: String,
}

/// The account's canonical user id: 64 hexadecimal digits.
pub(crate) fn owner(account: &str) -> Owner {
    Owner { id: format!("{account:0>64}") }
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct Grant {
    pub grantee: Grantee,
    pub permission: Permission,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct Grantee {
    #[wire("ID")]
    pub id: Option<String>,
    #[wire("URI")]
    pub uri: Option<String>,
    #[wire("Type")]
    pub kind: GranteeType,
}

/// The grants of an ACL; the owner's comes first.
pub(crate) fn grants(owner: &Owner, acl: &[s3::Grant]) -> Vec<Grant> {
    let own = Grantee { id: Some(owner.id.clone()), uri: None, kind: GranteeType::CanonicalUser };
    let own = Grant { grantee: own, permission: Permission::FullControl };
    let group = |grant: &s3::Grant| {
        let grantee = Grantee { id: None, uri: Some(grant.group.to_string()), kind: GranteeType::Group };
        Grant { grantee, permission: grant.permission }
    };
    std::iter::once(own).chain(acl.iter().map(group)).collect()
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct CommonPrefix {
    pub prefix: String,
}

pub(crate) fn common_prefixes(found: &[String], encoding: Encoding) -> Vec<CommonPrefix> {
    found.iter().map(|p| CommonPrefix { prefix: encoding.write(p) }).collect()
}

/// One object in a list.
#[derive(Clone, Debug, Wire)]
pub(crate) struct ObjectShape {
    pub key: String,
    pub last_modified: Timestamp,
    pub e_tag: String,
    pub checksum_algorithm: Option<Vec<ChecksumAlgorithm>>,
    pub checksum_type: Option<ChecksumType>,
    pub size: u64,
    pub storage_class: StoredClass,
    pub owner: Option<Owner>,
}

pub(crate) fn object(entry: &plane::Entry, key: String, owner: Option<Owner>) -> ObjectShape {
    let algorithms: Vec<_> = entry.checksums.keys().filter_map(|a| crate::checksums::shown(*a)).collect();
    ObjectShape {
        key,
        last_modified: entry.modified,
        e_tag: quoted(&entry.etag),
        checksum_type: crate::checksums::kind(&entry.checksums),
        checksum_algorithm: (!algorithms.is_empty()).then_some(algorithms),
        size: entry.size_bytes,
        storage_class: StoredClass::Standard,
        owner,
    }
}

pub(crate) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// The version's id in a response. As on AWS, a bucket that was never versioned shows none.
pub(crate) fn version(bucket: &Bucket, version: &plane::VersionId) -> Option<String> {
    (bucket.versioning != Versioning::Off).then(|| version.0.clone())
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct Tagging {
    pub tag_set: Vec<escale_base::Tag>,
}
