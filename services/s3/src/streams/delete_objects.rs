//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>

use crate::choices::ChecksumAlgorithm;
use crate::{Buckets, Error, conditions, rules};
use escale_base::{AwsError, Wire};
use escale_objects::{Delete, VersionId};
use escale_service::{Also, Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::s3::BucketName;
use std::sync::Arc;

pub(crate) struct DeleteObjects;

/// AWS's limit on the keys of one request.
const MAX_KEYS: usize = 1000;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    delete: Objects,
    checksum_algorithm: Option<ChecksumAlgorithm>,
    expected_bucket_owner: Option<String>,
}

#[derive(Wire)]
struct Objects {
    objects: Vec<Identifier>,
    quiet: Option<bool>,
}

#[derive(Wire)]
struct Identifier {
    key: String,
    version_id: Option<String>,
    e_tag: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    deleted: Vec<Deleted>,
    errors: Vec<Failure>,
}

#[derive(Wire)]
struct Deleted {
    key: String,
    version_id: Option<String>,
    delete_marker: Option<bool>,
    delete_marker_version_id: Option<String>,
}

#[derive(Wire)]
struct Failure {
    key: String,
    version_id: Option<String>,
    code: String,
    message: String,
}

impl StreamOperation<Buckets> for DeleteObjects {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    /// If every object names a version, the request needs only `s3:DeleteObjectVersion`.
    fn action(input: &Input) -> Option<&'static str> {
        input.delete.objects.iter().all(|o| o.version_id.is_some()).then_some("s3:DeleteObjectVersion")
    }

    fn resources(input: &Input, _cx: &StreamCx) -> Vec<String> {
        let versions = Self::action(input).is_some();
        arns(input, |o| o.version_id.is_some() == versions)
    }

    fn also(input: &Input, _cx: &StreamCx) -> Vec<Also> {
        let versions = arns(input, |o| o.version_id.is_some());
        if versions.is_empty() || Self::action(input).is_some() {
            Vec::new()
        } else {
            vec![Also::new("s3:DeleteObjectVersion", versions)]
        }
    }

    async fn run(
        service: Arc<Buckets>,
        cx: StreamCx,
        input: Input,
        _body: Body,
    ) -> Result<StreamReply<Output>, Error> {
        if input.delete.objects.is_empty() || input.delete.objects.len() > MAX_KEYS {
            return Err(Error::MalformedXml);
        }
        service.ready(&cx, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
        let quiet = input.delete.quiet == Some(true);
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for object in input.delete.objects {
            let Identifier { key, version_id, .. } = &object;
            match one(&service, &cx, &input.bucket, &object).await {
                Ok(_) if quiet => {}
                Ok(done) => deleted.push(done),
                // One failure does not end the request: AWS reports it in the response and deletes the others.
                Err(error) => {
                    let AwsError { code, message, .. } = error.into();
                    errors.push(Failure { key: key.clone(), version_id: version_id.clone(), code, message });
                }
            }
        }
        Ok(Output { deleted, errors }.into())
    }
}

fn arns(input: &Input, which: impl Fn(&Identifier) -> bool) -> Vec<String> {
    let chosen = input.delete.objects.iter().filter(|o| which(o));
    chosen.map(|o| rules::object_arn(&input.bucket, &o.key)).collect()
}

async fn one(
    service: &Buckets,
    cx: &StreamCx,
    bucket: &BucketName,
    object: &Identifier,
) -> Result<Deleted, Error> {
    let condition = conditions::of_delete(object.e_tag.as_deref());
    conditions::allowed(cx, "DeleteObjects", (bucket, &object.key), &condition)?;
    let spec = Delete { version: object.version_id.clone().map(VersionId), condition };
    let done = service.objects.delete(bucket, &object.key, spec).await?;
    let marker = done.is_delete_marker.then_some(done.version).flatten().map(|v| v.0);
    Ok(Deleted {
        key: object.key.clone(),
        version_id: object.version_id.clone(),
        delete_marker: done.is_delete_marker.then_some(true),
        delete_marker_version_id: marker,
    })
}
