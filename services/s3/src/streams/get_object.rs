//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>

use super::{
    body,
    read::{self, Input, Output},
};
use crate::{Buckets, Error, conditions::Verdict, rules};
use escale_objects::{Read, VersionId};
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use std::sync::Arc;

pub(crate) struct GetObject;

impl StreamOperation<Buckets> for GetObject {
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
        let (name, key) = (&input.bucket, &input.key);
        let missing = |error| read::absent(&cx, name, error);
        let mut version = input.version();
        let conditional = input.if_match.is_some()
            || input.if_none_match.is_some()
            || input.if_modified_since.is_some()
            || input.if_unmodified_since.is_some();
        if conditional {
            // Before the range is checked: a client whose copy is current gets 304, even for an invalid range.
            let object = service.objects.head(name, key, version.as_ref()).await.map_err(missing)?;
            if input.verdict(&object)? == Verdict::NotModified {
                let mut output = input.output(&cx, &bucket, object, None)?;
                output.unmodified();
                return Ok(StreamReply { output, body: None, status: Some(304) });
            }
            // Reads exactly the version that was checked. A null version cannot be named, so it is checked again below.
            version = version.or(Some(object.entry.version)).filter(|v: &VersionId| !v.is_null());
        }
        let range = if input.part_number.is_none() { rules::range(input.range.as_deref()) } else { None };
        let spec = Read { version, range, part: input.part_number };
        let got = service.objects.get(name, key, spec).await.map_err(missing)?;
        if conditional && input.verdict(&got.object)? == Verdict::NotModified {
            // A put replaced the object after the first check, and the client's copy matches the new object.
            let mut output = input.output(&cx, &bucket, got.object, None)?;
            output.unmodified();
            return Ok(StreamReply { output, body: None, status: Some(304) });
        }
        let output = input.output(&cx, &bucket, got.object, Some(got.range))?;
        Ok(StreamReply { output, body: Some(body::from_plane(got.body)), status: None })
    }
}
