//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketOwnershipControls.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::s3::{BucketName, ObjectOwnership};

pub(crate) struct GetBucketOwnershipControls;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    expected_bucket_owner: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    ownership_controls: Controls,
}

#[derive(Wire)]
struct Controls {
    rules: Vec<Rule>,
}

#[derive(Wire)]
struct Rule {
    object_ownership: ObjectOwnership,
}

impl Operation for GetBucketOwnershipControls {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = rules::bucket(cx, &input.bucket, input.expected_bucket_owner.as_deref())?;
        let rules = vec![Rule { object_ownership: row.ownership }];
        Ok(Output { ownership_controls: Controls { rules } })
    }
}
