//! Images made by the tests: busybox, a few account files, and the test's own files.

use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fs, io::Write, path::Path};

#[derive(Default)]
pub(crate) struct ImageMaker {
    /// Path and content of files in a layer above busybox.
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) config: serde_json::Value,
    pub(crate) architecture: Option<&'static str>,
    /// The layer of busybox is compressed with zstd instead of gzip.
    pub(crate) zstd: bool,
}

pub(crate) fn blob(blobs: &Path, bytes: &[u8]) -> String {
    let hex = hex::encode(Sha256::digest(bytes));
    fs::create_dir_all(blobs.join("sha256")).unwrap();
    fs::write(blobs.join("sha256").join(&hex), bytes).unwrap();
    format!("sha256:{hex}")
}

pub(crate) fn here() -> &'static str {
    if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" }
}

fn add(tar: &mut tar::Builder<Vec<u8>>, path: &str, mode: u32, bytes: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1);
    header.set_mode(0o755);
    header.set_mode(mode);
    header.set_mtime(1_700_000_000);
    tar.append_data(&mut header, path, bytes).unwrap();
}

fn busybox_layer() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let busybox = fs::read("/bin/busybox").expect("apt-get install busybox-static");
    add(&mut tar, "bin/busybox", 0o755, &busybox);
    for applet in [
        "sh", "cat", "echo", "sleep", "id", "pwd", "env", "ls", "touch", "tail", "dd", "kill", "test",
        "hostname", "mount", "seq", "printf",
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1);
        header.set_mode(0o755);
        header.set_mode(0o777);
        tar.append_link(&mut header, format!("bin/{applet}"), "busybox").unwrap();
    }
    add(&mut tar, "etc/passwd", 0o644, b"root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n");
    add(&mut tar, "etc/group", 0o644, b"root:x:0:\napp:x:1000:\nextra:x:77:app\n");
    add(&mut tar, "gone/by-the-next-layer", 0o644, b"x");
    add(&mut tar, "etc/not-executable", 0o644, b"x");
    tar.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

/// Two frames, as parallel compressors write them.
fn zstd(bytes: &[u8]) -> Vec<u8> {
    let (first, second) = bytes.split_at(bytes.len() / 2);
    [first, second].map(|part| zstd::encode_all(part, 1).unwrap()).concat()
}

impl ImageMaker {
    pub(crate) fn manifest(self, blobs: &Path) -> String {
        let pack = if self.zstd { zstd } else { gzip };
        let base = blob(blobs, &pack(&busybox_layer()));
        let packed = if self.zstd { "zstd" } else { "gzip" };
        let mut top = tar::Builder::new(Vec::new());
        add(&mut top, ".wh.gone", 0o644, b"");
        for (path, bytes) in &self.files {
            add(&mut top, path, 0o755, bytes);
        }
        let top = blob(blobs, &top.into_inner().unwrap());
        let config = serde_json::json!({
            "os": "linux", "architecture": self.architecture.unwrap_or(here()), "config": self.config,
            "rootfs": {"type": "layers", "diff_ids": [base, top]},
        });
        let config = blob(blobs, config.to_string().as_bytes());
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 1},
            "layers": [
                {"mediaType": format!("application/vnd.oci.image.layer.v1.tar+{packed}"), "digest": base, "size": 1},
                {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": top, "size": 1},
            ],
        });
        blob(blobs, manifest.to_string().as_bytes())
    }
}

/// An index with one image per platform.
pub(crate) fn index(blobs: &Path, choices: &BTreeMap<&str, String>) -> String {
    let manifests: Vec<_> = choices
        .iter()
        .map(|(architecture, digest)| {
            serde_json::json!({"digest": digest, "size": 1, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "platform": {"os": "linux", "architecture": architecture}})
        })
        .collect();
    blob(blobs, serde_json::json!({"schemaVersion": 2, "manifests": manifests}).to_string().as_bytes())
}
