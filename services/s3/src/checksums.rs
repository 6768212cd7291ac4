//! The `x-amz-checksum-*` family: S3's words for the plane's checksums.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

use crate::Error;
use crate::choices::{ChecksumAlgorithm, ChecksumType};
use base64::{Engine, engine::general_purpose::STANDARD};
use escale_objects::{Algorithm, Checksums, Expected};
use http::HeaderMap;

/// The algorithms that are kept beside the etag, with their names and headers.
const KEPT: [(Algorithm, &str, &str); 5] = [
    (Algorithm::Crc32, "CRC32", "x-amz-checksum-crc32"),
    (Algorithm::Crc32c, "CRC32C", "x-amz-checksum-crc32c"),
    (Algorithm::Crc64nvme, "CRC64NVME", "x-amz-checksum-crc64nvme"),
    (Algorithm::Sha1, "SHA1", "x-amz-checksum-sha1"),
    (Algorithm::Sha256, "SHA256", "x-amz-checksum-sha256"),
];

/// A shape with the members `ChecksumCRC32`, `ChecksumCRC32C`, ….
pub(crate) trait Summed {
    fn slots(&mut self) -> [(Algorithm, &mut Option<String>); 5];

    fn fill(&mut self, found: &Checksums) {
        for (algorithm, slot) in self.slots() {
            *slot = found.get(&algorithm).map(ToString::to_string);
        }
    }

    /// What the client says they are.
    fn expected(&mut self) -> Result<Expected, Error> {
        let mut expected = Expected::new();
        for (algorithm, slot) in self.slots() {
            let Some(text) = slot.take() else { continue };
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

/// Declares a shape that has, besides its own members, one for each checksum.
macro_rules! summed {
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
        impl $crate::checksums::Summed for $name {
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
pub(crate) use summed;

pub(crate) fn name(algorithm: Algorithm) -> &'static str {
    KEPT.iter().find(|(a, ..)| *a == algorithm).map_or("Content-MD5", |(_, name, _)| name)
}

/// AWS's word for one that is kept.
pub(crate) fn shown(algorithm: Algorithm) -> Option<ChecksumAlgorithm> {
    name(algorithm).parse().ok()
}

pub(crate) fn named(asked: ChecksumAlgorithm) -> Result<Algorithm, Error> {
    let found = KEPT.iter().find(|(_, name, _)| *name == asked.as_str()).map(|(a, ..)| *a);
    found.ok_or_else(|| Error::NotSupported(format!("The checksum algorithm {asked}")))
}

/// What has to be computed of a body: what its sender announces in headers or for the trailer (the gate compares
/// the values while the bytes pass). A sender that says nothing gets CRC-64/NVME, as on AWS.
pub(crate) fn announced(
    headers: &HeaderMap,
    asked: Option<ChecksumAlgorithm>,
) -> Result<Vec<Algorithm>, Error> {
    let trailer = headers.get("x-amz-trailer").and_then(|v| v.to_str().ok()).unwrap_or_default();
    let mut found: Vec<Algorithm> = KEPT
        .iter()
        .filter(|(_, _, header)| {
            headers.contains_key(*header) || trailer.split(',').any(|t| t.trim().eq_ignore_ascii_case(header))
        })
        .map(|(a, ..)| *a)
        .collect();
    if let (true, Some(asked)) = (found.is_empty(), asked) {
        found.push(named(asked)?);
    }
    if found.is_empty() {
        found.push(Algorithm::Crc64nvme);
    }
    Ok(found)
}

/// Composite for checksums of parts' checksums.
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
