//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>

use crate::choices::{ChecksumType, ServerSideEncryption};
use crate::{
    Buckets, Error,
    checksums::{self, WithChecksums, with_checksums},
    conditions, rules, shapes,
};
use escale_base::Wire;
use escale_objects::{Complete, CompletePart, UploadAt, UploadId};
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::s3::BucketName;
use std::sync::Arc;

pub(crate) struct CompleteMultipartUpload;

with_checksums! {
    pub(crate) struct Input {
        bucket: BucketName,
        key: String,
        multipart_upload: Option<Parts>,
        upload_id: String,
        checksum_type: Option<ChecksumType>,
        mpu_object_size: Option<u64>,
        if_match: Option<String>,
        if_none_match: Option<String>,
        expected_bucket_owner: Option<String>,
    }
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct Parts {
    parts: Vec<Part>,
}

with_checksums! {
    pub(crate) struct Part {
        e_tag: String,
        part_number: u32,
    }
}

with_checksums! {
    pub(crate) struct Output {
        location: String,
        bucket: BucketName,
        key: String,
        e_tag: String,
        checksum_type: Option<ChecksumType>,
        server_side_encryption: Option<ServerSideEncryption>,
        version_id: Option<String>,
    }
}

impl StreamOperation<Buckets> for CompleteMultipartUpload {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &StreamCx) -> Vec<String> {
        vec![rules::object_arn(&input.bucket, &input.key)]
    }

    async fn run(
        service: Arc<Buckets>,
        cx: StreamCx,
        mut input: Input,
        _body: Body,
    ) -> Result<StreamReply<Output>, Error> {
        let bucket = service.ready(&cx, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
        let expect = input.expected()?.into_iter().next();
        let named = input.multipart_upload.take().ok_or(Error::MalformedXml)?.parts;
        // First, so that a wrong order is reported rather than a wrong size.
        if let Some(pair) = named.windows(2).find(|pair| pair[0].part_number >= pair[1].part_number) {
            return Err(escale_objects::Error::PartOrder(pair[1].part_number, pair[0].part_number).into());
        }
        let condition = conditions::of_write(input.if_match.as_deref(), input.if_none_match.as_deref())?;
        conditions::allowed(&cx, "CompleteMultipartUpload", (&input.bucket, &input.key), &condition)?;
        let at = UploadAt {
            bucket: input.bucket.to_string(),
            key: input.key.clone(),
            id: UploadId(input.upload_id),
        };
        if let Some(named) = input.checksum_type {
            let upload = service.objects.list_parts(&at, 0, 1).await?.upload;
            let started = upload.checksum.map(|(_, kind)| checksums::kind_name(kind));
            if let Some(started) = started.filter(|started| *started != named) {
                return Err(Error::InvalidRequest(format!(
                    "The upload was created using the {started} checksum mode. The complete request must use the \
                     same checksum mode."
                )));
            }
        }
        if let Some(expected) = input.mpu_object_size {
            check_size(&service, &at, &named, expected).await?;
        }
        let part = |mut part: Part| {
            let expect = part.expected()?;
            let etag = conditions::bare(&part.e_tag).to_owned();
            Ok(CompletePart { number: part.part_number, etag, expect })
        };
        let spec =
            Complete { parts: named.into_iter().map(part).collect::<Result<_, Error>>()?, condition, expect };
        let stored = service.objects.complete_upload(&at, spec).await?.entry;
        let mut output = Output {
            location: format!("http://{}/{}/{}", cx.caller.host, input.bucket, input.key),
            bucket: input.bucket,
            key: input.key,
            e_tag: shapes::quoted(&stored.etag),
            checksum_type: checksums::kind(&stored.checksums),
            server_side_encryption: Some(ServerSideEncryption::Aes256),
            version_id: shapes::version(&bucket, &stored.version),
            ..Output::default()
        };
        output.fill(&stored.checksums);
        Ok(output.into())
    }
}

/// Compares `x-amz-mp-object-size` with the total size of the named parts.
async fn check_size(service: &Buckets, at: &UploadAt, named: &[Part], expected: u64) -> Result<(), Error> {
    let (mut after, mut sum) = (0, 0);
    loop {
        let page = service.objects.list_parts(at, after, escale_objects::PAGE).await?;
        let counted = page.parts.iter().filter(|p| named.iter().any(|n| n.part_number == p.number));
        sum += counted.map(|p| p.size_bytes).sum::<u64>();
        match page.next {
            Some(next) => after = next,
            None => break,
        }
    }
    if sum == expected {
        return Ok(());
    }
    let why = format!(
        "The provided 'x-amz-mp-object-size' header value {expected} does not match what was computed: {sum}"
    );
    Err(Error::InvalidRequest(why))
}
