//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html>

use crate::choices::{ChecksumAlgorithm, ChecksumType, EncodingType, StoredClass};
use crate::{
    Buckets, Error,
    rules::{self, Encoding},
    shapes::{self, CommonPrefix, Owner},
};
use escale_base::{Timestamp, Wire};
use escale_objects::{Entry, ListVersions, VersionId};
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::s3::BucketName;
use std::sync::Arc;

pub(crate) struct ListObjectVersions;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    delimiter: Option<String>,
    encoding_type: Option<EncodingType>,
    key_marker: Option<String>,
    max_keys: Option<i64>,
    prefix: Option<String>,
    version_id_marker: Option<String>,
    expected_bucket_owner: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    is_truncated: bool,
    key_marker: String,
    version_id_marker: String,
    next_key_marker: Option<String>,
    next_version_id_marker: Option<String>,
    versions: Vec<Version>,
    delete_markers: Vec<Marker>,
    name: BucketName,
    prefix: String,
    delimiter: Option<String>,
    max_keys: usize,
    common_prefixes: Vec<CommonPrefix>,
    encoding_type: Option<EncodingType>,
}

#[derive(Wire)]
struct Version {
    e_tag: String,
    checksum_algorithm: Option<Vec<ChecksumAlgorithm>>,
    checksum_type: Option<ChecksumType>,
    size: u64,
    storage_class: StoredClass,
    key: String,
    version_id: String,
    is_latest: bool,
    last_modified: Timestamp,
    owner: Owner,
}

#[derive(Wire)]
struct Marker {
    owner: Owner,
    key: String,
    version_id: String,
    is_latest: bool,
    last_modified: Timestamp,
}

impl StreamOperation<Buckets> for ListObjectVersions {
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
        let encoding = Encoding::of(input.encoding_type);
        let limit = rules::page_size("max-keys", input.max_keys)?;
        service.ready(&cx, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
        let prefix = input.prefix.unwrap_or_default();
        let version = input.version_id_marker.clone().filter(|v| !v.is_empty()).map(VersionId);
        let after = match (input.key_marker.clone().filter(|k| !k.is_empty()), version) {
            (Some(key), version) => Some((key, version)),
            (None, None) => None,
            (None, Some(version)) => {
                let why = "A version-id marker cannot be specified without a key marker.".to_owned();
                return Err(Error::InvalidArgument { name: "version-id-marker", value: version.0, why });
            }
        };
        let spec = ListVersions { prefix: prefix.clone(), delimiter: input.delimiter.clone(), after, limit };
        let found = service.objects.list_versions(&input.bucket, &spec).await?;
        let owner = shapes::owner(&cx.config.account);
        let (markers, versions): (Vec<&Entry>, Vec<&Entry>) =
            found.entries.iter().partition(|e| e.is_delete_marker);
        let (next_key, next_version) = found.next.unzip();
        Ok(Output {
            is_truncated: next_key.is_some(),
            key_marker: encoding.write(input.key_marker.as_deref().unwrap_or_default()),
            version_id_marker: input.version_id_marker.unwrap_or_default(),
            next_key_marker: encoding.write_some(next_key.as_deref()),
            next_version_id_marker: next_version.flatten().map(|v| v.0),
            versions: versions.into_iter().map(|e| version_of(e, encoding, &owner)).collect(),
            delete_markers: markers.into_iter().map(|e| marker_of(e, encoding, &owner)).collect(),
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

fn version_of(entry: &Entry, encoding: Encoding, owner: &Owner) -> Version {
    let shape = shapes::object(entry, encoding.write(&entry.key), None);
    Version {
        e_tag: shape.e_tag,
        checksum_algorithm: shape.checksum_algorithm,
        checksum_type: shape.checksum_type,
        size: shape.size,
        storage_class: shape.storage_class,
        key: shape.key,
        version_id: entry.version.0.clone(),
        is_latest: entry.is_latest,
        last_modified: entry.modified,
        owner: owner.clone(),
    }
}

fn marker_of(entry: &Entry, encoding: Encoding, owner: &Owner) -> Marker {
    Marker {
        owner: owner.clone(),
        key: encoding.write(&entry.key),
        version_id: entry.version.0.clone(),
        is_latest: entry.is_latest,
        last_modified: entry.modified,
    }
}
