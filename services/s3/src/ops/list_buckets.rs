//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>

use crate::{
    Error, rules,
    shapes::{self, Owner},
};
use escale_base::{Timestamp, Wire};
use escale_service::{Cx, Operation};
use escale_tables::s3::{Bucket, BucketName};

pub(crate) struct ListBuckets;

#[derive(Wire)]
pub(crate) struct Input {
    max_buckets: Option<usize>,
    continuation_token: Option<String>,
    prefix: Option<String>,
    bucket_region: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    buckets: Vec<BucketShape>,
    owner: Owner,
    continuation_token: Option<String>,
    prefix: Option<String>,
}

#[derive(Wire)]
struct BucketShape {
    name: BucketName,
    creation_date: Timestamp,
    bucket_region: Option<String>,
}

impl Operation for ListBuckets {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let region = &cx.config.region;
        let after = input.continuation_token.as_deref().map(rules::decode_token).transpose()?;
        let in_region = input.bucket_region.as_ref().is_none_or(|r| r == region);
        let prefix = input.prefix.clone().unwrap_or_default();
        let mut rest = cx
            .tx
            .prefix::<Bucket>(&prefix)
            .filter(|b| in_region && after.as_ref().is_none_or(|a| *b.name > **a))
            .map(|b| BucketShape {
                name: b.name.clone(),
                creation_date: b.created,
                bucket_region: Some(region.clone()),
            });
        // Without MaxBuckets AWS returns all buckets.
        let buckets: Vec<BucketShape> = rest.by_ref().take(input.max_buckets.unwrap_or(usize::MAX)).collect();
        let more = rest.next().is_some();
        drop(rest);
        let continuation_token = buckets.last().filter(|_| more).map(|b| rules::token(&b.name));
        let owner = shapes::owner(&cx.config.account);
        Ok(Output { buckets, owner, continuation_token, prefix: input.prefix })
    }
}
