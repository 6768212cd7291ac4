//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>

use super::list_objects::{ListRequest, page};
use crate::choices::EncodingType;
use crate::{
    Buckets, Error, rules,
    shapes::{CommonPrefix, ObjectShape},
};
use escale_base::Wire;
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::s3::BucketName;
use std::sync::Arc;

pub(crate) struct ListObjectsV2;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    delimiter: Option<String>,
    encoding_type: Option<EncodingType>,
    max_keys: Option<i64>,
    prefix: Option<String>,
    continuation_token: Option<String>,
    fetch_owner: Option<bool>,
    start_after: Option<String>,
    expected_bucket_owner: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    is_truncated: bool,
    contents: Vec<ObjectShape>,
    name: BucketName,
    prefix: String,
    delimiter: Option<String>,
    max_keys: usize,
    common_prefixes: Vec<CommonPrefix>,
    encoding_type: Option<EncodingType>,
    key_count: usize,
    continuation_token: Option<String>,
    next_continuation_token: Option<String>,
    start_after: Option<String>,
}

impl StreamOperation<Buckets> for ListObjectsV2 {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &StreamCx) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn keys(input: &Input) -> Vec<(&'static str, String)> {
        rules::listing_keys(input.prefix.as_deref(), input.delimiter.as_deref(), input.max_keys)
    }

    async fn run(
        service: Arc<Buckets>,
        cx: StreamCx,
        input: Input,
        _body: Body,
    ) -> Result<StreamReply<Output>, Error> {
        let after = match &input.continuation_token {
            // A token is the later position, so it takes precedence over `start-after`.
            Some(token) => Some(rules::decode_token(token)?),
            None => input.start_after.clone(),
        };
        let request = ListRequest {
            bucket: &input.bucket,
            expected_owner: input.expected_bucket_owner.as_deref(),
            prefix: input.prefix,
            delimiter: input.delimiter,
            after,
            encoding: input.encoding_type,
            max_keys: input.max_keys,
            with_owner: input.fetch_owner.unwrap_or(false),
        };
        let page = page(&service, &cx, request).await?;
        Ok(Output {
            is_truncated: page.next.is_some(),
            key_count: page.contents.len() + page.common_prefixes.len(),
            contents: page.contents,
            name: input.bucket,
            prefix: page.prefix,
            delimiter: page.delimiter,
            max_keys: page.max_keys,
            common_prefixes: page.common_prefixes,
            encoding_type: input.encoding_type,
            continuation_token: input.continuation_token,
            next_continuation_token: page.next.as_deref().map(rules::token),
            start_after: page.encoding.write_some(input.start_after.as_deref()),
        }
        .into())
    }
}
