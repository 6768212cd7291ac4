//! The parts that GetObject and HeadObject share: preconditions, ranges and headers.

use crate::choices::{ChecksumMode, ChecksumType, ServerSideEncryption};
use crate::{
    Error, checksums,
    checksums::WithChecksums,
    conditions::{Conditions, Verdict},
    lifecycle, rules, shapes,
    website::serve::REDIRECT,
};
use escale_base::{Timestamp, Wire};
use escale_objects::{self as plane, Object, VersionId};
use escale_service::StreamCx;
use escale_tables::s3::{Bucket, BucketName};
use std::{collections::BTreeMap, ops::Range};

#[derive(Wire)]
pub(crate) struct Input {
    pub bucket: BucketName,
    pub key: String,
    pub if_match: Option<String>,
    pub if_none_match: Option<String>,
    pub if_modified_since: Option<Timestamp>,
    pub if_unmodified_since: Option<Timestamp>,
    pub range: Option<String>,
    pub response_cache_control: Option<String>,
    pub response_content_disposition: Option<String>,
    pub response_content_encoding: Option<String>,
    pub response_content_language: Option<String>,
    pub response_content_type: Option<String>,
    pub response_expires: Option<Timestamp>,
    pub version_id: Option<String>,
    pub part_number: Option<u32>,
    pub checksum_mode: Option<ChecksumMode>,
    pub expected_bucket_owner: Option<String>,
}

checksums::with_checksums! {
    pub(crate) struct Output {
        accept_ranges: Option<&'static str>,
        last_modified: Timestamp,
        content_length: Option<u64>,
        e_tag: String,
        checksum_type: Option<ChecksumType>,
        version_id: Option<String>,
        cache_control: Option<String>,
        content_disposition: Option<String>,
        content_encoding: Option<String>,
        content_language: Option<String>,
        content_range: Option<String>,
        content_type: Option<String>,
        expires: Option<String>,
        expiration: Option<String>,
        website_redirect_location: Option<String>,
        server_side_encryption: Option<ServerSideEncryption>,
        metadata: BTreeMap<String, String>,
        parts_count: Option<u32>,
        tag_count: Option<usize>,
    }
}

impl Input {
    pub(super) fn version(&self) -> Option<VersionId> {
        self.version_id.clone().map(VersionId)
    }

    /// Checks the client's preconditions.
    pub(super) fn verdict(&self, object: &Object) -> Result<Verdict, Error> {
        let conditions = Conditions {
            if_match: self.if_match.as_deref(),
            if_none_match: self.if_none_match.as_deref(),
            if_modified_since: self.if_modified_since,
            if_unmodified_since: self.if_unmodified_since,
        };
        conditions.check(&object.entry)
    }

    /// The object's headers with the overrides of the request. As on AWS, anonymous requests cannot override headers.
    pub(super) fn output(
        &self,
        cx: &StreamCx,
        bucket: &Bucket,
        object: Object,
        range: Option<Range<u64>>,
    ) -> Result<Output, Error> {
        let overrides = [
            &self.response_cache_control,
            &self.response_content_disposition,
            &self.response_content_encoding,
            &self.response_content_language,
            &self.response_content_type,
        ];
        let overridden = overrides.iter().any(|o| o.is_some()) || self.response_expires.is_some();
        if overridden && cx.caller.principal == escale_service::Principal::Anonymous {
            let why = "Request specific response headers cannot be used for anonymous GET requests.";
            return Err(Error::InvalidRequest(why.into()));
        }
        let Object { entry, mut meta, tags, parts } = object;
        // As on AWS, only the current object has it: other versions expire by other rules.
        let rules = bucket.lifecycle.as_ref().filter(|_| entry.is_latest).map(|lifecycle| &lifecycle.rules);
        let expiration = rules.and_then(|rules| lifecycle::expiration_header(rules, &entry, &tags));
        let size = entry.size_bytes;
        // `get` returns a range in any case. The response is partial only if the request names a range or a part, even if that
        // covers the whole object.
        let part_of =
            range.filter(|r| self.part_number.is_some() || (r.end - r.start) != size || self.ranged());
        let mut header = |name: &str, requested: &Option<String>| {
            let stored = meta.headers.remove(name);
            requested.clone().or(stored)
        };
        let mut output = Output {
            accept_ranges: Some("bytes"),
            last_modified: entry.modified,
            content_length: Some(part_of.as_ref().map_or(size, |r| r.end - r.start)),
            e_tag: shapes::quoted(&entry.etag),
            version_id: shapes::version(bucket, &entry.version),
            cache_control: header("cache-control", &self.response_cache_control),
            content_disposition: header("content-disposition", &self.response_content_disposition),
            content_encoding: header("content-encoding", &self.response_content_encoding),
            content_language: header("content-language", &self.response_content_language),
            content_type: header("content-type", &self.response_content_type)
                // AWS's default.
                .or_else(|| Some("binary/octet-stream".into())),
            expiration,
            website_redirect_location: header(REDIRECT, &None),
            expires: header("expires", &self.response_expires.map(Timestamp::http_date)),
            server_side_encryption: Some(ServerSideEncryption::Aes256),
            metadata: meta.user,
            parts_count: self.part_number.and(parts),
            tag_count: (!tags.is_empty()).then_some(tags.len()),
            ..Output::default()
        };
        // The checksum covers the whole object, so a client that compares it with a part would report an error.
        if self.checksum_mode == Some(ChecksumMode::Enabled) && part_of.is_none() {
            output.fill(&entry.checksums);
            output.checksum_type = checksums::kind(&entry.checksums);
        }
        output.content_range = part_of.map(|r| match size {
            0 => "bytes */0".to_owned(),
            _ => format!("bytes {}-{}/{size}", r.start, r.end.saturating_sub(1)),
        });
        Ok(output)
    }

    fn ranged(&self) -> bool {
        rules::range(self.range.as_deref()).is_some()
    }
}

/// As on AWS, a caller that may not list the bucket gets 403 instead of 404 for a missing key.
pub(crate) fn absent(cx: &StreamCx, bucket: &BucketName, error: plane::Error) -> Error {
    let missing = matches!(error, plane::Error::NoSuchKey { .. } | plane::Error::NoSuchVersion { .. });
    let listing = || rules::allowed(cx, "s3:ListBucket", "ListObjectsV2", bucket, rules::bucket_arn(bucket));
    if missing && listing().is_err() { Error::Denied } else { error.into() }
}

impl Output {
    /// Removes the headers that describe the body: a 304 has none.
    pub(super) fn unmodified(&mut self) {
        self.content_length = None;
        self.content_type = None;
        self.checksum_type = None;
        self.fill(&plane::Checksums::new());
    }
}
