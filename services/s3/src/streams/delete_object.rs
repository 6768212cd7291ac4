//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html>

use crate::{Buckets, Error, conditions, rules};
use escale_base::Wire;
use escale_objects::{Delete, VersionId};
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::s3::BucketName;
use std::sync::Arc;

pub(crate) struct DeleteObject;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    key: String,
    version_id: Option<String>,
    if_match: Option<String>,
    expected_bucket_owner: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    delete_marker: Option<bool>,
    version_id: Option<String>,
}

impl StreamOperation<Buckets> for DeleteObject {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn action(input: &Input) -> Option<&'static str> {
        input.version_id.as_ref().map(|_| "s3:DeleteObjectVersion")
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
        service.ready(&cx, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
        let condition = conditions::of_delete(input.if_match.as_deref());
        conditions::allowed(&cx, "DeleteObject", (&input.bucket, &input.key), &condition)?;
        let spec = Delete { version: input.version_id.map(VersionId), condition };
        let deleted = service.objects.delete(&input.bucket, &input.key, spec).await?;
        Ok(Output {
            delete_marker: deleted.is_delete_marker.then_some(true),
            version_id: deleted.version.map(|v| v.0),
        }
        .into())
    }
}
