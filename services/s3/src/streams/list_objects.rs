//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html>

use crate::choices::EncodingType;
use crate::{
    Buckets, Error,
    rules::{self, Encoding},
    shapes::{self, CommonPrefix, ObjectShape},
};
use escale_base::Wire;
use escale_objects::List;
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::s3::BucketName;
use std::sync::Arc;

pub(crate) struct ListObjects;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    delimiter: Option<String>,
    encoding_type: Option<EncodingType>,
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
    name: BucketName,
    prefix: String,
    delimiter: Option<String>,
    max_keys: usize,
    common_prefixes: Vec<CommonPrefix>,
    encoding_type: Option<EncodingType>,
}

impl StreamOperation<Buckets> for ListObjects {
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
        let request = ListRequest {
            bucket: &input.bucket,
            expected_owner: input.expected_bucket_owner.as_deref(),
            prefix: input.prefix,
            delimiter: input.delimiter,
            after: input.marker.clone().filter(|m| !m.is_empty()),
            encoding: input.encoding_type,
            max_keys: input.max_keys,
            with_owner: true,
        };
        let page = page(&service, &cx, request).await?;
        // AWS omits the next marker without a delimiter: clients use the last key instead.
        let next = page.next.as_deref().filter(|_| page.delimiter.is_some());
        Ok(Output {
            is_truncated: page.next.is_some(),
            marker: page.encoding.write(input.marker.as_deref().unwrap_or_default()),
            next_marker: page.encoding.write_some(next),
            contents: page.contents,
            name: input.bucket,
            prefix: page.prefix,
            delimiter: page.delimiter,
            max_keys: page.max_keys,
            common_prefixes: page.common_prefixes,
            encoding_type: input.encoding_type,
        }
        .into())
    }
}

/// The parameters that both versions of the operation share.
pub(super) struct ListRequest<'a> {
    pub(super) bucket: &'a BucketName,
    pub(super) expected_owner: Option<&'a str>,
    pub(super) prefix: Option<String>,
    pub(super) delimiter: Option<String>,
    pub(super) after: Option<String>,
    pub(super) encoding: Option<EncodingType>,
    pub(super) max_keys: Option<i64>,
    pub(super) with_owner: bool,
}

/// The response that both versions share, with its names encoded.
pub(super) struct Page {
    pub(super) contents: Vec<ObjectShape>,
    pub(super) common_prefixes: Vec<CommonPrefix>,
    pub(super) prefix: String,
    pub(super) delimiter: Option<String>,
    pub(super) max_keys: usize,
    pub(super) encoding: Encoding,
    /// The start of the next page, not encoded.
    pub(super) next: Option<String>,
}

/// A page of a bucket's current objects.
pub(super) async fn page(service: &Buckets, cx: &StreamCx, request: ListRequest<'_>) -> Result<Page, Error> {
    let encoding = Encoding::of(request.encoding);
    let limit = rules::page_size("max-keys", request.max_keys)?;
    service.ready(cx, request.bucket, request.expected_owner).await?;
    let prefix = request.prefix.unwrap_or_default();
    let spec = List { prefix, delimiter: request.delimiter, after: request.after, limit };
    let found = service.objects.list(request.bucket, &spec).await?;
    let owner = request.with_owner.then(|| shapes::owner(&cx.config.account));
    let object = |o| shapes::object(o, encoding.write(&o.key), owner.clone());
    Ok(Page {
        contents: found.objects.iter().map(object).collect(),
        common_prefixes: shapes::common_prefixes(&found.common_prefixes, encoding),
        prefix: encoding.write(&spec.prefix),
        delimiter: encoding.write_some(spec.delimiter.as_deref()),
        max_keys: limit,
        encoding,
        next: found.next,
    })
}
