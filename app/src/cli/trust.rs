//! `escale trust`: installs the root certificate of the browsers' authority, or removes it again.

use super::{Output, client::Client};
use crate::{home::Home, lock, settings::Settings};
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clap::Args;
use escale_authority::{Authorities, Purpose};
use escale_base::Clock;
use escale_wire::Element;
use http::Method;
use serde_json::json;
use std::{
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

#[derive(Args)]
pub(crate) struct Trust {
    /// Remove the certificate from everywhere that this command has put it.
    #[arg(long)]
    undo: bool,
    /// Change the databases of browsers only, not the system's certificate store.
    #[arg(long)]
    browsers_only: bool,
}

/// What was done, and what could not be.
#[derive(Default)]
pub(super) struct Done {
    pub(super) stores: Vec<String>,
    pub(super) hints: Vec<String>,
}

pub(crate) async fn run(home: &Home, out: &Output, trust: &Trust) -> Result<()> {
    let nickname = nickname(home);
    if trust.undo {
        let done = undo(home, trust.browsers_only)?;
        let text = match done.stores.as_slice() {
            [] => "The certificate was not installed anywhere.".to_owned(),
            stores => format!("Removed the certificate {nickname} from:\n  {}", stores.join("\n  ")),
        };
        out.say(&with_hints(&text, &done.hints), &json!({"removed": done.stores, "hints": done.hints}));
        return Ok(());
    }
    home.create()?;
    let authority = Authorities::open(&home.private_folder("authority")?, &home.tag(), Clock::machine())?;
    let zones = zones(home).await?;
    let root = authority.permit(&zones)?;
    let permitted = escale_tls::x509::read(&root).map_err(anyhow::Error::msg)?.permitted;
    // Files of a private folder cannot be read by a user's programs.
    let file = tempfile(&root)?;
    let mut done = Done::default();
    if !trust.browsers_only {
        system(home, Some(&root), &mut done)?;
    }
    for database in databases(true) {
        database.add(&nickname, &file, &mut done);
    }
    fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
    if done.stores.is_empty() {
        bail!("the certificate could not be installed anywhere. {}", done.hints.join(". "));
    }
    let text = format!(
        "Installed the certificate {nickname}, which is valid for names below {}, in:\n  {}\nBrowsers that run must be started \
         again. `escale trust --undo` removes it.",
        permitted.join(", "),
        done.stores.join("\n  ")
    );
    let root_file = authority.root_file(Purpose::Browsers);
    out.say(
        &with_hints(&text, &done.hints),
        &json!({
            "certificate": nickname, "domains": permitted, "stores": done.stores, "hints": done.hints,
            "file": root_file.display().to_string(),
        }),
    );
    Ok(())
}

/// Removes the certificate from all stores.
pub(super) fn undo(home: &Home, browsers_only: bool) -> Result<Done> {
    let mut done = Done::default();
    if !browsers_only {
        system(home, None, &mut done)?;
    }
    for database in databases(false) {
        database.remove(&nickname(home), &mut done);
    }
    Ok(done)
}

fn with_hints(text: &str, hints: &[String]) -> String {
    hints.iter().fold(text.to_owned(), |text, hint| format!("{text}\n{hint}"))
}

/// Different for each installation, so that one does not replace the certificate of another.
fn nickname(home: &Home) -> String {
    format!("Escale local authority {}", home.tag())
}

/// The names of the account's public hosted zones; none without a daemon.
async fn zones(home: &Home) -> Result<Vec<String>> {
    if lock::running(home)?.is_none() {
        return Ok(Vec::new());
    }
    let client = Client::new(home, &Settings::of(home)?);
    let (mut names, mut marker) = (Vec::new(), String::new());
    loop {
        let path = format!("/2013-04-01/hostedzone{marker}");
        let answer = client.rest("route53", Method::GET, &path, &[], Bytes::new()).await?;
        let page = Element::parse(&answer.body)?;
        let public = page
            .list("HostedZones")
            .iter()
            .filter(|zone| zone.child("Config").is_none_or(|config| config.text_of("PrivateZone") != "true"));
        names.extend(public.map(|zone| zone.text_of("Name").trim_end_matches('.').to_owned()));
        match page.text_of("NextMarker") {
            "" => return Ok(names),
            next => marker = format!("?marker={next}"),
        }
    }
}

fn tempfile(pem: &str) -> Result<PathBuf> {
    let path = std::env::temp_dir().join(format!("escale-root-{:016x}.pem", std::process::id()));
    // Not through a link that another user has put there.
    let _ = fs::remove_file(&path);
    let options = fs::OpenOptions::new().write(true).create_new(true).open(&path);
    let mut file = options.with_context(|| format!("cannot write {}", path.display()))?;
    std::io::Write::write_all(&mut file, pem.as_bytes())?;
    // Public by its nature, and read by certutil as another user.
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    Ok(path)
}

/// The folders and programs of the distributions' certificate stores.
const SYSTEM: [(&str, &str, &str); 2] = [
    ("/usr/local/share/ca-certificates", "crt", "update-ca-certificates"),
    ("/etc/pki/ca-trust/source/anchors", "pem", "update-ca-trust"),
];

/// Puts the root into the system's store, which curl, Python and most servers use; without `root` removes it.
fn system(home: &Home, root: Option<&str>, done: &mut Done) -> Result<()> {
    let Some((folder, ending, program)) = SYSTEM.into_iter().find(|(folder, ..)| Path::new(folder).is_dir())
    else {
        if root.is_none() {
            return Ok(());
        }
        done.hints
            .push("This system's certificate store is not known, so only browsers were changed.".into());
        return Ok(());
    };
    let path = Path::new(folder).join(format!("escale-{}.{ending}", home.tag()));
    if !nix::unistd::geteuid().is_root() {
        if root.is_some() || path.exists() {
            done.hints.push(format!("Run this command as root to change the system's store {folder}, too."));
        }
        return Ok(());
    }
    match root {
        Some(root) => {
            fs::write(&path, root).with_context(|| format!("cannot write {}", path.display()))?;
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        }
        None if path.exists() => {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        None => return Ok(()),
    }
    let mut command = Command::new(program);
    if root.is_none() && program == "update-ca-certificates" {
        // Without it the links to the removed certificate stay.
        command.arg("--fresh");
    }
    let output = command.output().with_context(|| format!("cannot run {program}"))?;
    if !output.status.success() {
        bail!("{program} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    done.stores.push(path.display().to_string());
    Ok(())
}

/// A certificate database of NSS, which Chromium and Firefox use.
struct Database {
    folder: PathBuf,
    /// The owner, who runs certutil on it: root's files would lock the owner out.
    user: u32,
    group: u32,
}

/// The databases of the user who called `sudo`, or of this user. With `create`, Chromium's is created if it does not exist.
fn databases(create: bool) -> Vec<Database> {
    let Some((home, user, group)) = user() else { return Vec::new() };
    let database = |folder: PathBuf| Database { folder, user, group };
    let chromium = database(home.join(".pki/nssdb"));
    if create && !chromium.folder.join("cert9.db").exists() {
        chromium.create();
    }
    let profiles = [".mozilla/firefox", "snap/firefox/common/.mozilla/firefox"].map(|path| home.join(path));
    let firefox = profiles.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let all = firefox.map(|entry| database(entry.path())).chain([chromium]);
    all.filter(|database| database.folder.join("cert9.db").exists()).collect()
}

/// The home directory, user and group whose browsers are meant.
fn user() -> Option<(PathBuf, u32, u32)> {
    let own = (nix::unistd::geteuid(), nix::unistd::getegid());
    let of_sudo = std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok()).filter(|_| own.0.is_root());
    match of_sudo.map(nix::unistd::Uid::from_raw) {
        // HOME may be root's, or still the user's: sudo's configuration decides.
        Some(uid) => {
            let user = nix::unistd::User::from_uid(uid).ok().flatten()?;
            Some((user.dir, user.uid.as_raw(), user.gid.as_raw()))
        }
        None => Some((PathBuf::from(std::env::var_os("HOME")?), own.0.as_raw(), own.1.as_raw())),
    }
}

impl Database {
    fn certutil(&self, arguments: &[&str]) -> Result<(), String> {
        let mut command = Command::new("certutil");
        command.arg("-d").arg(format!("sql:{}", self.folder.display())).args(arguments).stdin(Stdio::null());
        if nix::unistd::geteuid().is_root() {
            command.uid(self.user).gid(self.group);
        }
        match command.output() {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(
                "certutil is not installed. Install it (Debian: apt install libnss3-tools, Fedora: dnf install nss-tools) and \
                 run this command again"
                    .to_owned(),
            ),
            Err(error) => Err(error.to_string()),
        }
    }

    fn create(&self) {
        let make = Command::new("mkdir")
            .arg("-p")
            .arg("-m")
            .arg("700")
            .arg(&self.folder)
            .uid(self.user)
            .gid(self.group)
            .status();
        if make.is_ok_and(|status| status.success()) {
            // A failure shows itself when the certificate is added.
            let _ = self.certutil(&["-N", "--empty-password"]);
        }
    }

    fn add(&self, nickname: &str, file: &Path, done: &mut Done) {
        // An earlier version may be valid for fewer domains.
        while self.certutil(&["-D", "-n", nickname]).is_ok() {}
        let file = file.display().to_string();
        match self.certutil(&["-A", "-t", "C,,", "-n", nickname, "-i", &file]) {
            Ok(()) => done.stores.push(self.folder.display().to_string()),
            Err(why) => done.hints.push(format!("{} was not changed: {why}", self.folder.display())),
        }
    }

    fn remove(&self, nickname: &str, done: &mut Done) {
        let mut removed = false;
        while self.certutil(&["-D", "-n", nickname]).is_ok() {
            removed = true;
        }
        if removed {
            done.stores.push(self.folder.display().to_string());
        }
    }
}
