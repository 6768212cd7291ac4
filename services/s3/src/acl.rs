//! Access control lists of buckets. They have an effect only on a bucket whose ownership is not BucketOwnerEnforced.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html>

use crate::{Error, choices::BucketCannedAcl, rules};
use escale_tables::s3::{Bucket, Grant, GranteeGroup, ObjectOwnership, Permission};
use serde_json::{Value, json};

/// The grants of a canned ACL.
pub(crate) fn canned(acl: BucketCannedAcl) -> Vec<Grant> {
    let grant = |group, permission| Grant { group, permission };
    let everyone = |permission| grant(GranteeGroup::AllUsers, permission);
    match acl {
        BucketCannedAcl::Private => Vec::new(),
        BucketCannedAcl::PublicRead => vec![everyone(Permission::Read)],
        BucketCannedAcl::PublicReadWrite => vec![everyone(Permission::Read), everyone(Permission::Write)],
        BucketCannedAcl::AuthenticatedRead => vec![grant(GranteeGroup::AuthenticatedUsers, Permission::Read)],
    }
}

/// The grants of `LogDeliveryWrite`, which the API's model does not list.
pub(crate) fn for_logs() -> [Grant; 2] {
    [Permission::Write, Permission::ReadAcp]
        .map(|permission| Grant { group: GranteeGroup::LogDelivery, permission })
}

fn is_public(grant: &Grant) -> bool {
    matches!(grant.group, GranteeGroup::AllUsers | GranteeGroup::AuthenticatedUsers)
}

/// Whether the bucket may have these grants.
pub(crate) fn check(bucket: &Bucket, grants: &[Grant]) -> Result<(), Error> {
    if grants.is_empty() {
        return Ok(());
    }
    if bucket.ownership == ObjectOwnership::BucketOwnerEnforced {
        return Err(Error::AclsNotSupported);
    }
    let blocked = bucket.public_access_block.is_some_and(|block| block.block_public_acls);
    if blocked && grants.iter().any(is_public) { Err(Error::PublicAcl) } else { Ok(()) }
}

/// The grants as a policy; `None` if they allow nothing.
pub(crate) fn policy(bucket: &Bucket, account: &str) -> Option<String> {
    if bucket.ownership == ObjectOwnership::BucketOwnerEnforced {
        return None;
    }
    let ignored = bucket.public_access_block.is_some_and(|block| block.ignore_public_acls);
    let counted = bucket.acl.iter().filter(|grant| !(ignored && is_public(grant)));
    let statements: Vec<Value> = counted.map(|grant| statement(bucket, grant, account)).collect();
    (!statements.is_empty()).then(|| json!({"Version": "2012-10-17", "Statement": statements}).to_string())
}

fn statement(bucket: &Bucket, grant: &Grant, account: &str) -> Value {
    let read = ["s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"];
    let actions: Vec<&str> = match grant.permission {
        Permission::Read => read.to_vec(),
        Permission::Write => vec!["s3:PutObject"],
        Permission::ReadAcp => vec!["s3:GetBucketAcl"],
        Permission::WriteAcp => vec!["s3:PutBucketAcl"],
        Permission::FullControl => {
            [&read[..], &["s3:PutObject", "s3:GetBucketAcl", "s3:PutBucketAcl"]].concat()
        }
    };
    let arn = rules::bucket_arn(&bucket.name);
    let mut statement = json!({
        "Effect": "Allow", "Action": actions, "Resource": [arn, format!("{arn}/*")], "Principal": "*",
    });
    match grant.group {
        GranteeGroup::AllUsers => {}
        GranteeGroup::AuthenticatedUsers => {
            statement["Condition"] = json!({"StringEquals": {"aws:PrincipalAccount": account}});
        }
        GranteeGroup::LogDelivery => {
            statement["Principal"] = json!({"Service": crate::access_log::PRINCIPAL});
        }
    }
    statement
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_base::Timestamp;
    use escale_tables::s3::PublicAccessBlock;

    fn bucket(ownership: ObjectOwnership, block: Option<PublicAccessBlock>, acl: BucketCannedAcl) -> Bucket {
        let bucket = Bucket::new("files".into(), Timestamp(0));
        Bucket { ownership, public_access_block: block, acl: canned(acl), ..bucket }
    }

    #[test]
    fn grants_apply_unless_ownership_or_block_prevents_them() {
        use ObjectOwnership::{BucketOwnerEnforced, ObjectWriter};
        for (ownership, block, acl, allowed) in [
            (ObjectWriter, None, BucketCannedAcl::PublicRead, true),
            (ObjectWriter, Some(PublicAccessBlock::ALL), BucketCannedAcl::PublicRead, false),
            (BucketOwnerEnforced, None, BucketCannedAcl::PublicRead, false),
            (ObjectWriter, None, BucketCannedAcl::Private, false),
        ] {
            let bucket = bucket(ownership, block, acl);
            assert_eq!(policy(&bucket, "000000000000").is_some(), allowed, "{bucket:?}");
        }
        let public = bucket(ObjectWriter, None, BucketCannedAcl::PublicReadWrite);
        let text = policy(&public, "000000000000").unwrap();
        assert!(
            text.contains("s3:ListBucket") && text.contains("s3:PutObject") && !text.contains("GetObject")
        );
        assert!(matches!(
            check(&bucket(BucketOwnerEnforced, None, BucketCannedAcl::PublicRead), &public.acl),
            Err(Error::AclsNotSupported)
        ));
        let blocked = bucket(ObjectWriter, Some(PublicAccessBlock::ALL), BucketCannedAcl::Private);
        assert!(matches!(check(&blocked, &public.acl), Err(Error::PublicAcl)));
        let logs = [Grant { group: GranteeGroup::LogDelivery, permission: Permission::Write }];
        assert!(check(&blocked, &logs).is_ok());
    }
}
