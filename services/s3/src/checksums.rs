//! The `x-amz-checksum-*` headers: the plane's checksums in the API.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

use crate::Error;
use crate::choices::{ChecksumAlgorithm, ChecksumType};
use base64::{Engine, engine::general_purpose::STANDARD};
use escale_base::AwsError;
use escale_objects::{Algorithm, Checksums, Expected};
use http::HeaderMap;

/// The algorithms whose checksums are stored in addition to the etag, with their names and headers.
const STORED: [(Algorithm, &str, &str); 5] = [
    (Algorithm::Crc32, "CRC32", "x-amz-checksum-crc32"),
    (Algorithm::Crc32c, "CRC32C", "x-amz-checksum-crc32c"),
    (Algorithm::Crc64nvme, "CRC64NVME", "x-amz-checksum-crc64nvme"),
    (Algorithm::Sha1, "SHA1", "x-amz-checksum-sha1"),
    (Algorithm::Sha256, "SHA256", "x-amz-checksum-sha256"),
];

/// A shape with the fields `ChecksumCRC32`, `ChecksumCRC32C`, ….
pub(crate) trait WithChecksums {
    fn slots(&mut self) -> [(Algorithm, &mut Option<String>); 5];

    fn fill(&mut self, found: &Checksums) {
        for (algorithm, slot) in self.slots() {
            *slot = found.get(&algorithm).map(ToString::to_string);
        }
    }

    /// The checksums that the client expects.
    fn expected(&mut self) -> Result<Expected, Error> {
        let mut expected = Expected::new();
        for (algorithm, slot) in self.slots() {
            let Some(text) = slot.take() else { continue };
            // The checksum of a multipart object ends with the number of its parts: `…==-3`.
            let bare = text.split_once('-').map_or(text.as_str(), |(value, _)| value);
            let value = STANDARD.decode(bare).map_err(|_| {
                Error::InvalidRequest(format!(
                    "Value for x-amz-checksum-{} header is invalid.",
                    header_end(algorithm)
                ))
            })?;
            expected.push((algorithm, value));
        }
        Ok(expected)
    }
}

fn header_end(algorithm: Algorithm) -> String {
    name(algorithm).to_ascii_lowercase()
}

/// Declares a shape with one more field for each checksum.
macro_rules! with_checksums {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($(#[$fmeta:meta])* $fvis:vis $field:ident: $ty:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, ::escale_base::Wire)]
        $vis struct $name {
            $($(#[$fmeta])* $fvis $field: $ty,)*
            #[wire("ChecksumCRC32")]
            crc32: Option<String>,
            #[wire("ChecksumCRC32C")]
            crc32c: Option<String>,
            #[wire("ChecksumCRC64NVME")]
            crc64nvme: Option<String>,
            #[wire("ChecksumSHA1")]
            sha1: Option<String>,
            #[wire("ChecksumSHA256")]
            sha256: Option<String>,
        }
        impl $crate::checksums::WithChecksums for $name {
            fn slots(&mut self) -> [(::escale_objects::Algorithm, &mut Option<String>); 5] {
                use ::escale_objects::Algorithm::{Crc32, Crc32c, Crc64nvme, Sha1, Sha256};
                [
                    (Crc32, &mut self.crc32),
                    (Crc32c, &mut self.crc32c),
                    (Crc64nvme, &mut self.crc64nvme),
                    (Sha1, &mut self.sha1),
                    (Sha256, &mut self.sha256),
                ]
            }
        }
    };
}
pub(crate) use with_checksums;

pub(crate) fn name(algorithm: Algorithm) -> &'static str {
    STORED.iter().find(|(a, ..)| *a == algorithm).map_or("Content-MD5", |(_, name, _)| name)
}

/// The algorithm in the API, if its checksums are stored.
pub(crate) fn shown(algorithm: Algorithm) -> Option<ChecksumAlgorithm> {
    name(algorithm).parse().ok()
}

pub(crate) fn named(requested: ChecksumAlgorithm) -> Result<Algorithm, Error> {
    let found = STORED.iter().find(|(_, name, _)| *name == requested.as_str()).map(|(a, ..)| *a);
    found.ok_or_else(|| {
        let supported = STORED.map(|(_, name, _)| name).join(", ");
        AwsError::not_supported(format_args!("The checksum algorithm {requested}"))
            .hint(format_args!("The supported algorithms are {supported}."))
            .into()
    })
}

/// The checksums to compute for a body: those that the client announces in headers or for the trailer. The gate compares their
/// values as the bytes arrive.
pub(crate) fn announced(
    headers: &HeaderMap,
    requested: Option<ChecksumAlgorithm>,
) -> Result<Vec<Algorithm>, Error> {
    let trailer = headers.get("x-amz-trailer").and_then(|v| v.to_str().ok()).unwrap_or_default();
    let mut found: Vec<Algorithm> = STORED
        .iter()
        .filter(|(_, _, header)| {
            headers.contains_key(*header) || trailer.split(',').any(|t| t.trim().eq_ignore_ascii_case(header))
        })
        .map(|(a, ..)| *a)
        .collect();
    if let (true, Some(requested)) = (found.is_empty(), requested) {
        found.push(named(requested)?);
    }
    // AWS computes CRC-64/NVME for a client that announces none.
    if found.is_empty() {
        found.push(Algorithm::Crc64nvme);
    }
    Ok(found)
}

/// Composite if the checksum was computed of the checksums of the parts.
pub(crate) fn kind(found: &Checksums) -> Option<ChecksumType> {
    let first = found.values().next()?;
    Some(if first.parts.is_some() { ChecksumType::Composite } else { ChecksumType::FullObject })
}

pub(crate) fn kind_name(kind: escale_objects::ChecksumKind) -> ChecksumType {
    match kind {
        escale_objects::ChecksumKind::Composite => ChecksumType::Composite,
        escale_objects::ChecksumKind::FullObject => ChecksumType::FullObject,
    }
}
