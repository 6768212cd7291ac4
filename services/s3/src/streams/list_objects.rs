//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html>

use crate::{
    Buckets, Error,
    rules::{self, Encoding},
    shapes::{self, CommonPrefix, ObjectShape},
};
use escale_base::Wire;
use escale_objects::List;
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use std::sync::Arc;

pub(crate) struct ListObjects;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: String,
    delimiter: Option<String>,
    encoding_type: Option<String>,
    marker: Option<String>,
    max_keys: Option<i64>,
    prefix: Option<String>,
    expected_bucket_owner: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    is_truncated: bool,
    marker: String,
    next_marker: Option<String>,
    contents: Vec<ObjectShape>,
    name: String,
    prefix: String,
    delimiter: Option<String>,
    max_keys: usize,
    common_prefixes: Vec<CommonPrefix>,
    encoding_type: Option<String>,
}

impl StreamOperation<Buckets> for ListObjects {
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
        let prefix = input.prefix.unwrap_or_default();
        let after = input.marker.clone().filter(|m| !m.is_empty());
        let spec = List { prefix: prefix.clone(), delimiter: input.delimiter.clone(), after, limit };
        let found = service.objects.list(&input.bucket, &spec).await?;
        let owner = shapes::owner(&cx.config.account);
        let object = |o| shapes::object(o, encoding.write(&o.key), Some(owner.clone()));
        // Without a delimiter the last key is the next marker, and AWS leaves it out.
        let next = found.next.as_deref().filter(|_| input.delimiter.is_some());
        Ok(Output {
            is_truncated: found.next.is_some(),
            marker: encoding.write(input.marker.as_deref().unwrap_or_default()),
            next_marker: encoding.write_some(next),
            contents: found.objects.iter().map(object).collect(),
            name: input.bucket,
            prefix: encoding.write(&prefix),
            delimiter: encoding.write_some(input.delimiter.as_deref()),
            max_keys: limit,
            common_prefixes: shapes::common_prefixes(&found.common_prefixes, encoding),
            encoding_type: input.encoding_type,
        }
        .into())
    }
}
