//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>

use crate::{
    Buckets, Error,
    rules::{self, Encoding},
    shapes::{self, CommonPrefix, ObjectShape},
};
use escale_base::Wire;
use escale_objects::List;
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use std::sync::Arc;

pub(crate) struct ListObjectsV2;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: String,
    delimiter: Option<String>,
    encoding_type: Option<String>,
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
    name: String,
    prefix: String,
    delimiter: Option<String>,
    max_keys: usize,
    common_prefixes: Vec<CommonPrefix>,
    encoding_type: Option<String>,
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

    async fn run(
        service: Arc<Buckets>,
        cx: StreamCx,
        input: Input,
        _body: Body,
    ) -> Result<StreamReply<Output>, Error> {
        let encoding = Encoding::of(input.encoding_type.as_deref())?;
        let limit = rules::page_size("max-keys", input.max_keys)?;
        service.ready(&cx, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
        let after = match &input.continuation_token {
            Some(token) => Some(rules::place(token)?),
            None => input.start_after.clone(),
        };
        let prefix = input.prefix.unwrap_or_default();
        let spec = List { prefix: prefix.clone(), delimiter: input.delimiter.clone(), after, limit };
        let found = service.objects.list(&input.bucket, &spec).await?;
        let owner = input.fetch_owner.unwrap_or(false).then(|| shapes::owner(&cx.config.account));
        let contents: Vec<ObjectShape> = found
            .objects
            .iter()
            .map(|o| shapes::object(o, encoding.write(&o.key), owner.clone()))
            .collect();
        let common_prefixes = shapes::common_prefixes(&found.common_prefixes, encoding);
        Ok(Output {
            is_truncated: found.next.is_some(),
            key_count: contents.len() + common_prefixes.len(),
            contents,
            name: input.bucket,
            prefix: encoding.write(&prefix),
            delimiter: encoding.write_some(input.delimiter.as_deref()),
            max_keys: limit,
            common_prefixes,
            encoding_type: input.encoding_type,
            continuation_token: input.continuation_token,
            next_continuation_token: found.next.as_deref().map(rules::token),
            start_after: encoding.write_some(input.start_after.as_deref()),
        }
        .into())
    }
}
