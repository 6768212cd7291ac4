//! Base images in the forms that other tools produce.

use escale_imagebuild::Layout;
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{fs, io::Write, path::Path};

/// A layer's file: path, mode, content. A path with `/` at its end is a folder, `-> x` a link, `=> x` a hard link.
pub(crate) type Member = (&'static str, u32, &'static str);

pub(crate) fn tar(members: &[Member]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, mode, content) in members {
        let mut header = tar::Header::new_gnu();
        header.set_mode(*mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(0);
        let (kind, link) = match (path.ends_with('/'), content.split_at_checked(3)) {
            (true, _) => (tar::EntryType::Directory, None),
            (false, Some(("-> ", to))) => (tar::EntryType::Symlink, Some(to)),
            (false, Some(("=> ", to))) => (tar::EntryType::Link, Some(to)),
            _ => (tar::EntryType::Regular, None),
        };
        header.set_entry_type(kind);
        match link {
            Some(to) => tar.append_link(&mut header, path, to).unwrap(),
            None if kind == tar::EntryType::Directory => {
                tar.append_data(&mut header, path, std::io::empty()).unwrap();
            }
            None => {
                header.set_size(content.len() as u64);
                tar.append_data(&mut header, path, content.as_bytes()).unwrap();
            }
        }
    }
    tar.into_inner().unwrap()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// An image: its configuration, its layers as blobs with the ends of their media types, and the format of the tool that wrote it.
#[derive(Clone)]
pub(crate) struct Base {
    pub(crate) config: Value,
    pub(crate) layers: Vec<(Vec<u8>, &'static str)>,
    pub(crate) docker: bool,
}

impl Base {
    pub(crate) fn new(config: Value, layers: &[&[Member]]) -> Base {
        let tars: Vec<Vec<u8>> = layers.iter().map(|l| tar(l)).collect();
        let diff_ids: Vec<String> = tars.iter().map(|t| digest(t)).collect();
        let mut whole = json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}});
        whole["config"] = config;
        Base { config: whole, layers: tars.iter().map(|t| (gzip(t), "gzip")).collect(), docker: false }
    }

    /// All blobs, and the manifest with its media type.
    pub(crate) fn parts(&self) -> (Vec<Vec<u8>>, Vec<u8>, &'static str) {
        let (kind, config, layer) = if self.docker {
            (
                "application/vnd.docker.distribution.manifest.v2+json",
                "application/vnd.docker.container.image.v1+json",
                "application/vnd.docker.image.rootfs.diff.tar.",
            )
        } else {
            (
                "application/vnd.oci.image.manifest.v1+json",
                "application/vnd.oci.image.config.v1+json",
                "application/vnd.oci.image.layer.v1.tar+",
            )
        };
        let of = |kind: &str, bytes: &[u8]| json!({"mediaType": kind, "digest": digest(bytes), "size": bytes.len()});
        let lines = self.config.to_string().into_bytes();
        let layers: Vec<Value> =
            self.layers.iter().map(|(b, packed)| of(&format!("{layer}{packed}"), b)).collect();
        let manifest =
            json!({"schemaVersion": 2, "mediaType": kind, "config": of(config, &lines), "layers": layers});
        let blobs = self.layers.iter().map(|(bytes, _)| bytes.clone()).chain([lines]).collect();
        (blobs, manifest.to_string().into_bytes(), kind)
    }

    pub(crate) fn write(&self, folder: &Path) -> Layout {
        let blobs = folder.join("blobs/sha256");
        fs::create_dir_all(&blobs).unwrap();
        let (parts, manifest, kind) = self.parts();
        for bytes in parts.iter().chain([&manifest]) {
            fs::write(blobs.join(digest(bytes).trim_start_matches("sha256:")), bytes).unwrap();
        }
        let index =
            json!({"manifests": [{"mediaType": kind, "digest": digest(&manifest), "size": manifest.len()}]});
        fs::write(folder.join("index.json"), index.to_string()).unwrap();
        Layout::open(folder, "amd64").unwrap()
    }
}
