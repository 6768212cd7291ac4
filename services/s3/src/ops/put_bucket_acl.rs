//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAcl.html>
//!
//! Grants can name the predefined groups. The owner keeps full control.

use crate::choices::{BucketCannedAcl, ChecksumAlgorithm, GranteeType};
use crate::{Error, acl, rules, shapes};
use escale_base::{AwsError, Wire};
use escale_service::{Cx, Operation};
use escale_tables::s3::{BucketName, Grant, Permission};

pub(crate) struct PutBucketAcl;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    #[wire("ACL")]
    acl: Option<BucketCannedAcl>,
    access_control_policy: Option<Policy>,
    #[wire("ContentMD5")]
    content_md5: Option<String>,
    checksum_algorithm: Option<ChecksumAlgorithm>,
    expected_bucket_owner: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Policy {
    pub(crate) owner: Option<shapes::Owner>,
    pub(crate) grants: Option<Vec<shapes::Grant>>,
}

impl Operation for PutBucketAcl {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn keys(input: &Input) -> Vec<(&'static str, String)> {
        input.acl.map(|acl| ("s3:x-amz-acl", acl.to_string())).into_iter().collect()
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let row = rules::bucket(cx, &input.bucket, input.expected_bucket_owner.as_deref())?;
        let owner = shapes::owner(&cx.config.account).id;
        let grants = match (input.acl, input.access_control_policy) {
            (Some(canned), None) => acl::canned(canned),
            (None, Some(policy)) => grants(policy, &owner)?,
            _ => return Err(Error::MalformedXml),
        };
        acl::check(&row, &grants)?;
        rules::update(cx, &input.bucket, None, |b| b.acl = grants)
    }
}

/// The grants of a policy without that of the owner, which is always the same.
fn grants(policy: Policy, owner: &str) -> Result<Vec<Grant>, Error> {
    if policy.owner.as_ref().is_some_and(|named| named.id != owner) {
        return Err(Error::Denied);
    }
    let mut found = Vec::new();
    let mut owner_has_all = false;
    for shapes::Grant { grantee, permission } in policy.grants.unwrap_or_default() {
        match (grantee.kind, grantee.uri, grantee.id) {
            (GranteeType::Group, Some(uri), _) => {
                let group = uri.parse().map_err(|_| Error::InvalidArgument {
                    name: "URI",
                    value: uri,
                    why: "Invalid group uri".into(),
                })?;
                found.push(Grant { group, permission });
            }
            (GranteeType::CanonicalUser, _, Some(id)) if id == owner => {
                owner_has_all |= permission == Permission::FullControl;
            }
            (GranteeType::CanonicalUser | GranteeType::AmazonCustomerByEmail, ..) => {
                return Err(AwsError::not_supported("An ACL that grants access to another account")
                    .hint("Use a bucket policy.")
                    .into());
            }
            (GranteeType::Group, None, _) => return Err(Error::MalformedXml),
        }
    }
    if !owner_has_all {
        return Err(AwsError::not_supported("An ACL without FULL_CONTROL for the bucket's owner")
            .hint("Add a grant of FULL_CONTROL with the owner's canonical user id.")
            .into());
    }
    Ok(found)
}
