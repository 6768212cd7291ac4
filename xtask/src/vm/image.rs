//! The disk of the virtual machine, made from Debian's packages and kept below `target/vm/`.

use crate::{run::run_command, test};
use anyhow::{Context, Result, bail};
use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The packages of a machine on which a user installs Escale by its documentation, and those that the checks use.
const PACKAGES: &str = "systemd,systemd-sysv,dbus,udev,libpam-systemd,openssh-server,sudo,linux-image-amd64,kmod,procps,iproute2,\
                        nftables,conntrack,crun,postgresql,curl,jq,busybox-static,libnss-myhostname,ca-certificates";

/// The size of the disk, whose file is sparse.
const DISK_SIZE: &str = "10G";

/// A release of Debian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suite {
    Debian12,
    Debian13,
}

impl Suite {
    pub(super) const ALL: [Suite; 2] = [Suite::Debian12, Suite::Debian13];

    pub(super) fn parse(name: &str) -> Option<Suite> {
        Suite::ALL.into_iter().find(|suite| suite.to_string() == name)
    }

    fn codename(self) -> &'static str {
        match self {
            Suite::Debian12 => "bookworm",
            Suite::Debian13 => "trixie",
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Suite::Debian12 => "debian-12",
            Suite::Debian13 => "debian-13",
        })
    }
}

/// The files from which QEMU boots.
pub(super) struct Image {
    folder: PathBuf,
}

impl Image {
    pub(super) fn disk(&self) -> PathBuf {
        self.folder.join("disk.img")
    }

    pub(super) fn kernel(&self) -> PathBuf {
        self.folder.join("vmlinuz")
    }

    pub(super) fn initrd(&self) -> PathBuf {
        self.folder.join("initrd")
    }

    /// The private key that the users of the machine accept.
    pub(super) fn key(&self) -> PathBuf {
        self.folder.join("key")
    }

    pub(super) fn serial_log(&self) -> PathBuf {
        self.folder.join("serial.log")
    }

    /// The folder for the machine's writes; QEMU does not change the disk itself.
    pub(super) fn scratch(&self) -> &Path {
        &self.folder
    }
}

/// Builds the disk, unless one from the same recipe exists.
pub(super) fn build(suite: Suite, fresh: bool) -> Result<Image> {
    let folder = test::target().join("vm").join(suite.to_string());
    let image = Image { folder: folder.clone() };
    let recipe = format!("{PACKAGES}\n{DISK_SIZE}\n{SETUP}");
    let stamp = folder.join("recipe");
    if !fresh && fs::read_to_string(&stamp).is_ok_and(|built| built == recipe) {
        return Ok(image);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut keygen = Command::new("ssh-keygen");
    run_command(keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "escale-vm", "-f"]).arg(image.key()))?;
    fs::write(folder.join("setup.sh"), SETUP)?;
    let mut bootstrap = Command::new("timeout");
    bootstrap.args(["3600", "mmdebstrap", "--variant=apt", "--format=null", "--quiet"]);
    bootstrap.arg(format!("--include={PACKAGES}"));
    // A slow mirror's release file may have expired; its signature is still verified.
    bootstrap.arg("--aptopt=Acquire::Check-Valid-Until \"false\"");
    bootstrap.arg(format!("--customize-hook={}", customize(&folder)?));
    bootstrap.args([suite.codename(), "/dev/null"]).arg(source(suite)?);
    run_command(&mut bootstrap)?;
    fs::write(stamp, recipe)?;
    Ok(image)
}

/// Runs inside the new system: users, keys, network.
const SETUP: &str = include_str!("guest/setup.sh");

/// What mmdebstrap runs when all packages are installed; `$1` is the new root folder.
fn customize(folder: &Path) -> Result<String> {
    let folder = folder.to_str().context("the workspace's path is not UTF-8")?;
    if folder.contains(|c: char| !c.is_ascii_alphanumeric() && !"/._-".contains(c)) {
        bail!(
            "{folder}: the path of the target folder must have letters, digits and /._- only: a shell reads it"
        );
    }
    // The bind shows the folder without /proc and /sys, which are mounted into it now and must not be copied.
    Ok(format!(
        "set -e; chroot \"$1\" sh -s \"$(cat {folder}/key.pub)\" < {folder}/setup.sh; \
         cp \"$1\"/boot/vmlinuz-* {folder}/vmlinuz; cp \"$1\"/boot/initrd.img-* {folder}/initrd; mkdir {folder}/root; \
         unshare --mount sh -ec 'mount --bind \"$1\" {folder}/root; mke2fs -q -t ext4 -d {folder}/root {folder}/disk.img {DISK_SIZE}' \
         sh \"$1\"; rmdir {folder}/root"
    ))
}

/// The line of sources.list for a suite: from this machine's own sources, since the mirror that it may reach is there.
fn source(suite: Suite) -> Result<String> {
    let release = fs::read_to_string("/etc/os-release").context("/etc/os-release")?;
    let own = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME=")).unwrap_or_default();
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(entries) = fs::read_dir("/etc/apt/sources.list.d") {
        files.extend(entries.filter_map(|e| Some(e.ok()?.path())));
    }
    let mirror =
        files.iter().filter_map(|file| fs::read_to_string(file).ok()).find_map(|text| mirror(&text, own));
    let mirror = mirror.with_context(|| {
        format!(
            "no file of /etc/apt names a mirror for the suite '{own}' of Debian; add one: deb URL {own} main"
        )
    })?;
    Ok(format!("deb {mirror} {} main", suite.codename()))
}

/// The mirror that a file of sources has for `codename`, in either of its formats (man 5 sources.list).
fn mirror(text: &str, codename: &str) -> Option<String> {
    let one_line = text.lines().find_map(|line| {
        let rest = line.trim().strip_prefix("deb ")?.trim_start();
        let rest = match rest.strip_prefix('[') {
            Some(options) => options.split_once(']')?.1,
            None => rest,
        };
        let mut words = rest.split_whitespace();
        let (url, suite, component) = (words.next()?, words.next()?, words.next()?);
        (suite == codename && component == "main").then(|| url.to_owned())
    });
    let stanza = |stanza: &str| {
        let field = |name: &str| stanza.lines().find_map(|line| line.strip_prefix(name));
        let has =
            |name: &str, word: &str| field(name).is_some_and(|f| f.split_whitespace().any(|w| w == word));
        let fits = has("Types:", "deb") && has("Suites:", codename) && has("Components:", "main");
        fits.then(|| Some(field("URIs:")?.split_whitespace().next()?.to_owned())).flatten()
    };
    one_line.or_else(|| text.split("\n\n").find_map(stanza))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_found_in_both_formats() {
        let check = |text: &str, wanted: Option<&str>| {
            assert_eq!(mirror(text, "bookworm").as_deref(), wanted, "{text}")
        };
        check("deb http://a.example/debian bookworm main contrib\n", Some("http://a.example/debian"));
        check("# deb http://a.example/debian bookworm main\n", None);
        check(
            "deb [arch=amd64 signed-by=/k] http://a.example/debian bookworm main\n",
            Some("http://a.example/debian"),
        );
        check(
            "deb http://a.example/debian bookworm-updates main\ndeb http://b.example bookworm main",
            Some("http://b.example"),
        );
        check("deb http://a.example/sdk cloud-bookworm main\n", None);
        let stanza = "Types: deb\nURIs: http://a.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\n";
        check(stanza, Some("http://a.example/debian"));
        check(
            &format!(
                "Types: deb\nURIs: http://s.example\nSuites: bookworm-security\nComponents: main\n\n{stanza}"
            ),
            Some("http://a.example/debian"),
        );
        check("Types: deb-src\nURIs: http://a.example/debian\nSuites: bookworm\nComponents: main\n", None);
    }
}
