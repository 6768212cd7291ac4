//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAcl.html>
//!
//! Buckets are BucketOwnerEnforced: the owner has full control, and there are no other grants.

use crate::choices::{GranteeType, Permission};
use crate::{Error, rules, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::s3::BucketName;

pub(crate) struct GetBucketAcl;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    expected_bucket_owner: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    owner: shapes::Owner,
    grants: Vec<Grant>,
}

#[derive(Wire)]
struct Grant {
    grantee: Grantee,
    permission: Permission,
}

#[derive(Wire)]
struct Grantee {
    #[wire("ID")]
    id: String,
    #[wire("Type")]
    kind: GranteeType,
}

impl Operation for GetBucketAcl {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        rules::bucket(cx, &input.bucket, input.expected_bucket_owner.as_deref())?;
        let id = shapes::owner(&cx.config.account).id;
        let grantee = Grantee { id: id.clone(), kind: GranteeType::CanonicalUser };
        let grants = vec![Grant { grantee, permission: Permission::FullControl }];
        Ok(Output { owner: shapes::Owner { id }, grants })
    }
}
