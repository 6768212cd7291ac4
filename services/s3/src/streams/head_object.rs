//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>

use super::read::{self, Input, Output};
use crate::{Buckets, Error, conditions::Verdict, rules};
use escale_objects::{Read, VersionId};
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use std::sync::Arc;

pub(crate) struct HeadObject;

impl StreamOperation<Buckets> for HeadObject {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn action(input: &Input) -> Option<&'static str> {
        input.version_id.as_ref().map(|_| "s3:GetObjectVersion")
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
        let missing = |error| read::absent(&cx, &input.bucket, error);
        let mut version = input.version();
        let object = service.objects.head(&input.bucket, &input.key, version.as_ref()).await;
        let object = object.map_err(missing)?;
        // Before the range is checked: a client whose copy is current gets 304, even for an invalid range.
        if input.verdict(&object)? == Verdict::NotModified {
            let mut output = input.output(&cx, &bucket, object, None)?;
            output.unmodified();
            return Ok(StreamReply { output, body: None, status: Some(304) });
        }
        let range = if input.part_number.is_none() { rules::range(input.range.as_deref()) } else { None };
        if range.is_none() && input.part_number.is_none() {
            return Ok(input.output(&cx, &bucket, object, None)?.into());
        }
        // The plane resolves ranges and parts only in `get`. Its body is dropped without being read.
        version = version.or(Some(object.entry.version)).filter(|v: &VersionId| !v.is_null());
        let spec = Read { version, range, part: input.part_number };
        let got = service.objects.get(&input.bucket, &input.key, spec).await.map_err(missing)?;
        Ok(input.output(&cx, &bucket, got.object, Some(got.range))?.into())
    }
}
