//! Image manifests and configurations (OCI image 1.1, Docker schema 2), read out of a blob directory
//! `<blobs>/sha256/<hex>`.
//!
//! `HEALTHCHECK` of the configuration has no effect: the group configures its health checks. `VOLUME` has one only for what
//! containers share: see `volumes.rs`.

use crate::limits;
use escale_base::PlaneError;
use serde::{Deserialize, de::DeserializeOwned};
use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
};

/// A complete image: its configuration was read, and every layer's blob exists.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) config: Config,
    pub(crate) layers: Vec<Layer>,
}

#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) hex: String,
    pub(crate) blob: PathBuf,
    pub(crate) compression: Compression,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    Plain,
    Gzip,
    Zstd,
}

/// The defaults that a container takes from its image.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Config {
    pub(crate) user: Option<String>,
    pub(crate) env: Option<Vec<String>>,
    pub(crate) entrypoint: Option<Vec<String>>,
    pub(crate) cmd: Option<Vec<String>>,
    pub(crate) working_dir: Option<String>,
    pub(crate) stop_signal: Option<String>,
    pub(crate) volumes: Option<BTreeMap<String, serde_json::Value>>,
}

impl Config {
    /// The paths that the image declares as volumes, without a final slash. Paths that are no absolute ones are left out.
    pub(crate) fn volume_paths(&self) -> impl Iterator<Item = String> {
        let paths = self.volumes.iter().flat_map(BTreeMap::keys).map(|path| path.trim_end_matches('/'));
        paths
            .filter(|path| path.starts_with('/') && !path.split('/').any(|part| part == ".."))
            .map(str::to_owned)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    media_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    os: String,
    architecture: String,
}

#[derive(Deserialize)]
struct ImageFile {
    os: Option<String>,
    architecture: Option<String>,
    config: Option<Config>,
    #[serde(default)]
    rootfs: RootFs,
}

#[derive(Default, Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Vec<String>,
}

/// This machine's architecture, in the terms of OCI images.
pub(crate) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Follows a digest through index and manifest to configuration and layers.
pub(crate) fn resolve(blobs: &Path, digest: &str) -> Result<Image, PlaneError> {
    let image = |what: String| PlaneError::asked(format!("image {digest}: {what}"));
    let mut manifest: Manifest = read_json(blobs, digest, "manifest")?;
    if let Some(choices) = &manifest.manifests {
        let fits = |d: &&Descriptor| {
            d.platform.as_ref().is_some_and(|p| p.os == "linux" && p.architecture == architecture())
        };
        let Some(chosen) = choices.iter().find(fits) else {
            let offered: Vec<String> = choices
                .iter()
                .filter_map(|d| d.platform.as_ref())
                .map(|p| format!("{}/{}", p.os, p.architecture))
                .collect();
            return Err(image(format!(
                "it has no variant for linux/{}, only for {}; build it for this platform",
                architecture(),
                offered.join(", ")
            )));
        };
        manifest = read_json(blobs, &chosen.digest, "manifest")?;
    }
    let (Some(config), Some(layers)) = (&manifest.config, &manifest.layers) else {
        let kind = manifest.media_type.as_deref().unwrap_or("no media type");
        return Err(image(format!(
            "its manifest ({kind}) has no configuration and layers, so it is not an image"
        )));
    };
    let file: ImageFile = read_json(blobs, &config.digest, "configuration")?;
    let (os, arch) = (file.os.unwrap_or_default(), file.architecture.unwrap_or_default());
    if os != "linux" || arch != architecture() {
        return Err(image(format!(
            "it is built for {os}/{arch}, and this machine is linux/{}; build it for this platform",
            architecture()
        )));
    }
    if layers.len() > limits::LAYERS {
        return Err(image(format!("it has {} layers; the limit is {}", layers.len(), limits::LAYERS)));
    }
    // Configuration and manifest of different images would otherwise start a broken container.
    if file.rootfs.diff_ids.len() != layers.len() {
        let n = file.rootfs.diff_ids.len();
        return Err(image(format!(
            "its configuration lists {n} layers, but its manifest lists {}",
            layers.len()
        )));
    }
    let layers = layers.iter().map(|d| layer(blobs, d).map_err(&image)).collect::<Result<Vec<_>, _>>()?;
    Ok(Image { config: file.config.unwrap_or_default(), layers })
}

fn layer(blobs: &Path, d: &Descriptor) -> Result<Layer, String> {
    let compression = match d.media_type.as_str() {
        "application/vnd.oci.image.layer.v1.tar"
        | "application/vnd.oci.image.layer.nondistributable.v1.tar"
        | "application/vnd.docker.image.rootfs.diff.tar" => Compression::Plain,
        "application/vnd.oci.image.layer.v1.tar+gzip"
        | "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
        | "application/vnd.docker.image.rootfs.diff.tar.gzip" => Compression::Gzip,
        "application/vnd.oci.image.layer.v1.tar+zstd"
        | "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"
        | "application/vnd.docker.image.rootfs.diff.tar.zstd" => Compression::Zstd,
        other => {
            return Err(format!(
                "layer {} is of type '{other}', which is not supported; use tar, tar+gzip or tar+zstd",
                d.digest
            ));
        }
    };
    let hex = blob_hex(&d.digest)?;
    let blob = blobs.join("sha256").join(hex);
    if !blob.is_file() {
        return Err(format!("the blob of layer {} is missing; push the image again", d.digest));
    }
    Ok(Layer { hex: hex.to_owned(), blob, compression })
}

fn read_json<T: DeserializeOwned>(blobs: &Path, digest: &str, what: &str) -> Result<T, PlaneError> {
    let place = |text: String| PlaneError::asked(format!("image {what} {digest}: {text}"));
    let path = blobs.join("sha256").join(blob_hex(digest).map_err(place)?);
    let file = std::fs::File::open(&path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => place("the blob does not exist; push the image first".into()),
        _ => PlaneError::machine(format!("cannot read image {what} {digest}")).because(e),
    })?;
    let mut bytes = Vec::new();
    // One byte more than allowed shows that the limit is exceeded.
    let read = file.take(limits::MANIFEST_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|e| PlaneError::machine(format!("cannot read image {what} {digest}")).because(e))?;
    if bytes.len() as u64 > limits::MANIFEST_BYTES {
        return Err(place(format!("it is larger than {} bytes", limits::MANIFEST_BYTES)));
    }
    serde_json::from_slice(&bytes)
        .map_err(|e| place(format!("its JSON is not valid for this media type ({e})")))
}

/// The hexadecimal part of a digest; only SHA-256 is supported.
pub(crate) fn blob_hex(digest: &str) -> Result<&str, String> {
    let hex = digest.strip_prefix("sha256:").unwrap_or_default();
    let lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if hex.len() == 64 && hex.bytes().all(lower_hex) {
        Ok(hex)
    } else {
        Err(format!("'{digest}' is not a digest (sha256: and 64 hexadecimal digits)"))
    }
}

/// The argument vector, by Docker's rules: a new entry point also drops the image's command.
///
/// Source: <https://docs.docker.com/reference/dockerfile/#understand-how-cmd-and-entrypoint-interact>
pub(crate) fn arguments(
    image: &Config,
    entrypoint: Option<&Vec<String>>,
    command: Option<&Vec<String>>,
) -> Result<Vec<String>, String> {
    let kept = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
    let mut all = match entrypoint {
        Some(own) => own.clone(),
        None => kept(&image.entrypoint),
    };
    all.extend(match (command, entrypoint) {
        (Some(own), _) => own.clone(),
        (None, Some(_)) => vec![],
        (None, None) => kept(&image.cmd),
    });
    if all.first().is_none_or(String::is_empty) {
        Err("neither the image nor the container has a command; specify one".into())
    } else {
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_entrypoint_and_command_like_docker() {
        let list = |words: &[&str]| words.iter().map(|w| w.to_string()).collect::<Vec<_>>();
        let image = Config { entrypoint: Some(list(&["/e"])), cmd: Some(list(&["c"])), ..Config::default() };
        let run = |e: Option<&[&str]>, c: Option<&[&str]>| {
            arguments(&image, e.map(list).as_ref(), c.map(list).as_ref()).unwrap()
        };
        assert_eq!(run(None, None), ["/e", "c"]);
        assert_eq!(run(None, Some(&["x"])), ["/e", "x"]);
        assert_eq!(run(Some(&["/n"]), None), ["/n"]);
        assert_eq!(run(Some(&["/n"]), Some(&["x"])), ["/n", "x"]);
        assert!(arguments(&Config::default(), None, None).is_err());
    }

    #[test]
    fn accepts_only_sha256_digests() {
        assert!(blob_hex(&format!("sha256:{}", "a".repeat(64))).is_ok());
        for bad in ["sha256:ab", "md5:aa", &format!("sha256:{}", "../".repeat(22)), ""] {
            assert!(blob_hex(bad).is_err(), "{bad}");
        }
    }
}
