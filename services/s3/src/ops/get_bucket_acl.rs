//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAcl.html>

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
    grants: Vec<shapes::Grant>,
}

impl Operation for GetBucketAcl {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = rules::bucket(cx, &input.bucket, input.expected_bucket_owner.as_deref())?;
        let owner = shapes::owner(&cx.config.account);
        let grants = shapes::grants(&owner, &row.acl);
        Ok(Output { owner, grants })
    }
}
