//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>

use super::read;
use crate::choices::{ChecksumAlgorithm, ChecksumType, Directive, ServerSideEncryption};
use crate::{
    Buckets, Error,
    checksums::{self, WithChecksums, with_checksums},
    conditions::{self, Conditions, Verdict},
    metadata::{self, with_metadata},
    rules, shapes,
};
use escale_base::{AwsError, Timestamp, Wire, path::decode_once};
use escale_objects::{Copy, Object, VersionId};
use escale_service::{Also, Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::s3::BucketName;
use std::sync::Arc;

pub(crate) struct CopyObject;

with_metadata! {
    pub(crate) struct Input {
        bucket: BucketName,
        key: String,
        copy_source: String,
        copy_source_if_match: Option<String>,
        copy_source_if_none_match: Option<String>,
        copy_source_if_modified_since: Option<Timestamp>,
        copy_source_if_unmodified_since: Option<Timestamp>,
        if_match: Option<String>,
        if_none_match: Option<String>,
        metadata_directive: Option<Directive>,
        tagging_directive: Option<Directive>,
        checksum_algorithm: Option<ChecksumAlgorithm>,
        expected_bucket_owner: Option<String>,
        expected_source_bucket_owner: Option<String>,
    }
}

#[derive(Wire)]
pub(crate) struct Output {
    copy_object_result: Copied,
    copy_source_version_id: Option<String>,
    version_id: Option<String>,
    server_side_encryption: Option<ServerSideEncryption>,
}

with_checksums! {
    pub(crate) struct Copied {
        e_tag: String,
        last_modified: Timestamp,
        checksum_type: Option<ChecksumType>,
    }
}

struct Source {
    bucket: BucketName,
    key: String,
    version: Option<VersionId>,
}

impl StreamOperation<Buckets> for CopyObject {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    /// The destination. `run` authorizes the source.
    fn resources(input: &Input, _cx: &StreamCx) -> Vec<String> {
        vec![rules::object_arn(&input.bucket, &input.key)]
    }

    fn keys(input: &Input) -> Vec<(&'static str, String)> {
        input.condition_keys()
    }

    fn also(input: &Input, cx: &StreamCx) -> Vec<Also> {
        input.tagging.iter().map(|_| Also::new("s3:PutObjectTagging", Self::resources(input, cx))).collect()
    }

    async fn run(
        service: Arc<Buckets>,
        cx: StreamCx,
        mut input: Input,
        _body: Body,
    ) -> Result<StreamReply<Output>, Error> {
        let from = source(&input.copy_source)?;
        let action = if from.version.is_some() { "s3:GetObjectVersion" } else { "s3:GetObject" };
        rules::allowed(&cx, action, "GetObject", &from.bucket, rules::object_arn(&from.bucket, &from.key))?;
        let from_bucket =
            service.ready(&cx, &from.bucket, input.expected_source_bucket_owner.as_deref()).await?;
        let bucket = service.ready(&cx, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
        let found = service.objects.head(&from.bucket, &from.key, from.version.as_ref()).await;
        let found = found.map_err(|error| read::absent(&cx, &from.bucket, error))?;
        check_source(&input, &found)?;
        if !found.tags.is_empty() && input.tagging_directive != Some(Directive::Replace) {
            // The copy includes the tags, which requires the right to read them and the right to write them.
            let read = match from.version {
                Some(_) => "s3:GetObjectVersionTagging",
                None => "s3:GetObjectTagging",
            };
            let (source, destination) =
                (rules::object_arn(&from.bucket, &from.key), rules::object_arn(&input.bucket, &input.key));
            rules::allowed(&cx, read, "GetObjectTagging", &from.bucket, source)?;
            rules::allowed(&cx, "s3:PutObjectTagging", "CopyObject", &input.bucket, destination)?;
        }
        let meta = input.meta()?;
        let replaces = |directive: Option<Directive>| directive == Some(Directive::Replace);
        let meta = replaces(input.metadata_directive).then_some(meta);
        let tags = if replaces(input.tagging_directive) {
            Some(metadata::tags_of_header(input.tagging.as_deref())?)
        } else {
            None
        };
        let onto_itself = (&from.bucket, &from.key) == (&input.bucket, &input.key) && from.version.is_none();
        if onto_itself && meta.is_none() && tags.is_none() && input.checksum_algorithm.is_none() {
            let why = "This copy request is illegal because it is trying to copy an object to itself without \
                       changing the object's metadata, storage class, website redirect location or encryption \
                       attributes.";
            return Err(Error::InvalidRequest(why.into()));
        }
        let condition = conditions::of_write(input.if_match.as_deref(), input.if_none_match.as_deref())?;
        conditions::allowed(&cx, "CopyObject", (&input.bucket, &input.key), &condition)?;
        let compute = input.checksum_algorithm.map(checksums::named).transpose()?;
        let source_version = shapes::version(&from_bucket, &found.entry.version);
        let spec = Copy {
            from_bucket: from.bucket.into(),
            from_key: from.key,
            // Copies exactly the version that was checked. A null version cannot be named, because a put replaces it.
            from_version: from.version.or(Some(found.entry.version).filter(|v| !v.is_null())),
            to_bucket: input.bucket.into(),
            to_key: input.key,
            meta,
            tags,
            compute: compute.into_iter().collect(),
            condition,
        };
        let copy = service.objects.copy(spec).await?.entry;
        let mut copied = Copied {
            e_tag: shapes::quoted(&copy.etag),
            last_modified: copy.modified,
            checksum_type: checksums::kind(&copy.checksums),
            ..Copied::default()
        };
        copied.fill(&copy.checksums);
        Ok(Output {
            copy_object_result: copied,
            copy_source_version_id: source_version,
            version_id: shapes::version(&bucket, &copy.version),
            server_side_encryption: Some(ServerSideEncryption::Aes256),
        }
        .into())
    }
}

/// Parses `bucket/key?versionId=…`, which is percent-encoded and may start with a slash.
fn source(text: &str) -> Result<Source, Error> {
    let bad = || Error::InvalidArgument {
        name: "x-amz-copy-source",
        value: text.to_owned(),
        why: "Invalid copy source object key".into(),
    };
    if text.starts_with("arn:") {
        return Err(AwsError::not_supported("A copy source that is an access point's ARN")
            .hint("Use bucket/key.")
            .into());
    }
    let (path, version) = match text.split_once("?versionId=") {
        Some((path, version)) => (path, Some(VersionId(version.to_owned()))),
        None => (text, None),
    };
    // Decoded before it is split, because clients may also encode the slash after the bucket.
    let path = decode_once(path).map_err(|_| bad())?;
    let (bucket, key) = path.trim_start_matches('/').split_once('/').ok_or_else(bad)?;
    if bucket.is_empty() || key.is_empty() {
        return Err(bad());
    }
    Ok(Source { bucket: bucket.into(), key: key.to_owned(), version })
}

/// Checks the conditions on the source. A copy never answers 304: a failed condition is a 412.
fn check_source(input: &Input, found: &Object) -> Result<(), Error> {
    let conditions = Conditions {
        if_match: input.copy_source_if_match.as_deref(),
        if_none_match: input.copy_source_if_none_match.as_deref(),
        if_modified_since: input.copy_source_if_modified_since,
        if_unmodified_since: input.copy_source_if_unmodified_since,
    };
    match conditions.check(&found.entry)? {
        Verdict::Go => Ok(()),
        Verdict::NotModified => Err(Error::Precondition("x-amz-copy-source-If-None-Match")),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn parses_copy_sources() {
        let of = |text: &str| super::source(text).ok().map(|s| (s.bucket, s.key, s.version.map(|v| v.0)));
        let some = |b: &str, k: &str, v: Option<&str>| Some((b.into(), k.to_owned(), v.map(str::to_owned)));
        assert_eq!(of("b/k/l"), some("b", "k/l", None));
        assert_eq!(of("/b/k%20%C3%BC?versionId=v1"), some("b", "k ü", Some("v1")));
        assert_eq!(of("b"), None);
        assert_eq!(of("b/"), None);
        assert_eq!(of("b%2Fk%252F"), some("b", "k%2F", None));
        assert_eq!(of("b/%ff"), None);
        assert_eq!(of("b/100%"), None);
    }
}
