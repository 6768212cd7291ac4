//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html>

use super::read;
use crate::{Buckets, Error, rules, shapes};
use escale_base::{Tag, Wire};
use escale_objects::VersionId;
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::s3::BucketName;
use std::sync::Arc;

pub(crate) struct GetObjectTagging;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    key: String,
    version_id: Option<String>,
    expected_bucket_owner: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    version_id: Option<String>,
    tag_set: Vec<Tag>,
}

impl StreamOperation<Buckets> for GetObjectTagging {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn action(input: &Input) -> Option<&'static str> {
        input.version_id.as_ref().map(|_| "s3:GetObjectVersionTagging")
    }

    fn resources(input: &Input, _cx: &StreamCx) -> Vec<String> {
        vec![rules::object_arn(&input.bucket, &input.key)]
    }

    async fn run(
        service: Arc<Buckets>,
        cx: StreamCx,
        input: Input,
        _body: Body,
    ) -> Result<StreamReply<Output>, Error> {
        let bucket = service.ready(&cx, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
        let version = input.version_id.map(VersionId);
        let found = service.objects.head(&input.bucket, &input.key, version.as_ref()).await;
        let object = found.map_err(|error| read::absent(&cx, &input.bucket, error))?;
        Ok(Output {
            version_id: shapes::version(&bucket, &object.entry.version),
            tag_set: object.tags.into_iter().map(|(k, v)| Tag::new(k, v)).collect(),
        }
        .into())
    }
}
