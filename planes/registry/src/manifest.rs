//! Parses manifests and names; the store keeps the bytes unchanged.

use crate::{Descriptor, Digest, Error, MANIFEST_BYTES, NAME_BYTES, Reference, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};

const OCI_IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// The parts of a manifest that the registry needs.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) digest: Digest,
    pub(crate) descriptor: Descriptor,
    pub(crate) blobs: Vec<Digest>,
    pub(crate) manifests: Vec<Digest>,
    pub(crate) subject: Option<Digest>,
    /// Of config and layers, or of the index itself.
    pub(crate) size_bytes: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u32,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Named>,
    layers: Option<Vec<Named>>,
    manifests: Option<Vec<Named>>,
    subject: Option<Named>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    media_type: String,
    digest: Digest,
    size: u64,
}

impl Named {
    /// Layers that a registry does not store: clients fetch them from elsewhere.
    fn is_foreign(&self) -> bool {
        self.media_type.contains(".nondistributable.") || self.media_type.contains(".foreign.")
    }
}

pub(crate) fn parse(media_type: &str, bytes: &[u8]) -> Result<Parsed> {
    if bytes.len() > MANIFEST_BYTES {
        return Err(Error::ManifestTooLarge { limit_bytes: MANIFEST_BYTES });
    }
    let bad = |why: String| Error::BadManifest(why);
    let document: Document = serde_json::from_slice(bytes).map_err(|e| bad(e.to_string()))?;
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if document.schema_version != 2 {
        return Err(bad(format!("schemaVersion {} is not supported, only 2", document.schema_version)));
    }
    // Two readers could otherwise interpret the same bytes as different kinds of manifest.
    if let Some(inside) = document.media_type.as_deref().filter(|inside| *inside != media_type) {
        return Err(bad(format!("its mediaType is {inside}, its Content-Type {media_type}")));
    }
    let digest = Digest::of(bytes);
    let (mut blobs, mut manifests, mut size_bytes) = (Vec::new(), Vec::new(), 0);
    let mut artifact_type = document.artifact_type;
    match media_type {
        OCI_IMAGE | DOCKER_IMAGE => {
            let config = document.config.ok_or_else(|| bad("it has no config".into()))?;
            let layers = document.layers.ok_or_else(|| bad("it has no layers".into()))?;
            // The sizes are the client's words. AWS's API shows their sum as a signed number.
            let sum = layers.iter().try_fold(config.size, |sum, layer| sum.checked_add(layer.size));
            size_bytes = sum
                .filter(|sum| i64::try_from(*sum).is_ok())
                .ok_or_else(|| bad("the sizes of its layers together exceed 63 bits".into()))?;
            artifact_type = artifact_type.or(Some(config.media_type.clone()));
            let held = [config].into_iter().chain(layers).filter(|named| !named.is_foreign());
            blobs.extend(held.map(|named| named.digest));
        }
        OCI_INDEX | DOCKER_LIST => {
            let children = document.manifests.ok_or_else(|| bad("it has no manifests".into()))?;
            manifests.extend(children.into_iter().map(|named| named.digest));
            size_bytes += bytes.len() as u64;
        }
        other => return Err(bad(format!("the media type '{other}' is not supported"))),
    }
    let descriptor = Descriptor {
        media_type: media_type.to_owned(),
        digest: digest.clone(),
        size: bytes.len() as u64,
        artifact_type,
        annotations: document.annotations,
    };
    let subject = document.subject.map(|named| named.digest);
    Ok(Parsed { digest, descriptor, blobs, manifests, subject, size_bytes })
}

/// `keep`, and everything that the manifests among them refer to: all that is needed to run their images. `read` returns a
/// manifest's bytes, and nothing for a blob that cannot be one.
pub(crate) fn with_named(
    keep: HashSet<Digest>,
    read: impl Fn(&Digest) -> Option<Vec<u8>>,
) -> HashSet<Digest> {
    let mut all = keep.clone();
    let mut open: Vec<Digest> = keep.into_iter().collect();
    while let Some(digest) = open.pop() {
        let Some(bytes) = read(&digest) else { continue };
        let Ok(document) = serde_json::from_slice::<Document>(&bytes) else { continue };
        let held = document.config.into_iter().chain(document.layers.into_iter().flatten());
        all.extend(held.map(|named| named.digest));
        let children = document.manifests.into_iter().flatten().map(|named| named.digest);
        // Only new ones, so that manifests that refer to each other do not loop.
        open.extend(children.filter(|child| all.insert(child.clone())));
    }
    all
}

pub(crate) fn check_name(name: &str) -> Result<()> {
    let word = |w: &str| {
        let ends = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
        let bytes = w.as_bytes();
        // Words are separated by one '.', one or two '_', or any number of '-'.
        let single = |w: &str| {
            let parts = w.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
            parts
                .filter(|p| !p.is_empty())
                .all(|p| p == "." || p == "_" || p == "__" || p.bytes().all(|b| b == b'-'))
        };
        ends(bytes.first()) && ends(bytes.last()) && bytes.iter().all(|b| inner(*b)) && single(w)
    };
    if name.len() <= NAME_BYTES && name.split('/').all(word) {
        Ok(())
    } else {
        Err(Error::BadName(name.to_owned()))
    }
}

impl std::str::FromStr for Reference {
    type Err = Error;

    /// A digest if it contains a colon, which a tag cannot.
    fn from_str(text: &str) -> Result<Reference> {
        if text.contains(':') {
            return text.parse().map(Reference::Digest);
        }
        let starts = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
        let inner = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        if starts && text.len() <= 128 && text.bytes().all(inner) {
            Ok(Reference::Tag(text.to_owned()))
        } else {
            Err(Error::BadTag(text.to_owned()))
        }
    }
}

/// Checks a manifest pushed under `reference`: a digest must be that of its bytes.
pub(crate) fn check_reference(reference: &Reference, computed: &Digest) -> Result<()> {
    match reference {
        Reference::Digest(expected) if expected != computed => {
            Err(Error::DigestMismatch { expected: expected.clone(), computed: computed.clone() })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_tags() {
        for good in ["a", "shop/front-end", "a.b/c_d/e__f", "x---y"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "A", "a//b", "/a", "a/", "a..b", "a___b", "-a", "a-", "a._b"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert!("v1.0_x-y".parse::<Reference>().is_ok());
        for bad in ["", ".x", "-x", "a b", &"x".repeat(129), "sha512:00"] {
            assert!(bad.parse::<Reference>().is_err(), "{bad}");
        }
    }

    #[test]
    fn refuses_sizes_that_do_not_fit_together() {
        let blob = |size: u64| {
            let digest = Digest::of(b"");
            format!(r#"{{"mediaType": "a/b", "digest": "{digest}", "size": {size}}}"#)
        };
        for (first, second, fits) in
            [(1, 2, true), (u64::MAX, 1, false), (i64::MAX as u64, 0, true), (i64::MAX as u64, 1, false)]
        {
            let text = format!(
                r#"{{"schemaVersion": 2, "config": {}, "layers": [{}]}}"#,
                blob(first),
                blob(second)
            );
            let parsed = parse(OCI_IMAGE, text.as_bytes());
            assert_eq!(parsed.is_ok(), fits, "{first} + {second}: {:?}", parsed.err());
        }
    }
}
