//! Where everything of one installation lies.

use anyhow::{Context, Result};
use std::{
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// `$ESCALE_HOME`, or `escale` below `$XDG_DATA_HOME` (`~/.local/share`).
#[derive(Clone, Debug)]
pub(crate) struct Home(PathBuf);

impl Home {
    pub(crate) fn find() -> Result<Home> {
        let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let home = set("ESCALE_HOME")
            .or_else(|| set("XDG_DATA_HOME").map(|d| d.join("escale")))
            .or_else(|| set("HOME").map(|h| h.join(".local/share/escale")))
            .context("neither ESCALE_HOME, XDG_DATA_HOME nor HOME is set: say where the data shall lie, ESCALE_HOME=DIR")?;
        // Whoever only asks makes nothing: it need not be there yet.
        let home =
            std::path::absolute(&home).with_context(|| format!("cannot resolve {}", home.display()))?;
        let real = home.ancestors().find_map(|a| Some((a.canonicalize().ok()?, home.strip_prefix(a).ok()?)));
        Ok(Home(real.map_or_else(|| home.clone(), |(there, rest)| there.join(rest).components().collect())))
    }

    /// Makes its folder, if it is not there yet.
    /// Others may pass through it, as PostgreSQL's user must, and see nothing.
    pub(crate) fn create(&self) -> Result<()> {
        make_folder(&self.0, 0o711).with_context(|| {
            format!("cannot create {}; say where the data shall lie: ESCALE_HOME=DIR", self.0.display())
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The engine of record.
    pub(crate) fn state(&self) -> PathBuf {
        self.0.join("state.db")
    }

    /// Held by the running daemon, and says which process it is.
    pub(crate) fn lock(&self) -> PathBuf {
        self.0.join("daemon.lock")
    }

    /// This installation's own root key.
    pub(crate) fn root_key(&self) -> PathBuf {
        self.0.join("root-key.json")
    }

    /// The root key that the running daemon accepts.
    pub(crate) fn root_key_in_use(&self) -> PathBuf {
        self.0.join("root-key-in-use.json")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.0.join("daemon.log")
    }

    /// To write at its end; only its owner may read it.
    pub(crate) fn open_log(&self) -> Result<std::fs::File> {
        let log = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(self.log());
        log.with_context(|| format!("cannot write {}", self.log().display()))
    }

    /// A plane's own folder.
    pub(crate) fn plane(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A folder whose files are nobody else's: what users stored, what tasks wrote, what is in images.
    pub(crate) fn private_folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.0.join(name);
        let made = make_folder(&folder, 0o700);
        // One of an older version was open to all.
        let own = std::fs::Permissions::from_mode(0o700);
        let closed = made.and_then(|()| std::fs::set_permissions(&folder, own));
        closed.with_context(|| format!("cannot make {}, for its owner alone", folder.display()))?;
        Ok(folder)
    }

    /// Where databases lie. Their servers run as a user of their own, who must be able to enter every folder on the way; root's
    /// home lets nobody in, so then they lie below /var/lib/escale.
    pub(crate) fn databases(&self) -> PathBuf {
        let open =
            |folder: &Path| std::fs::metadata(folder).is_ok_and(|m| m.permissions().mode() & 0o001 != 0);
        match self.0.ancestors().all(open) {
            true => self.plane("postgres"),
            false => self.databases_elsewhere().join("postgres"),
        }
    }

    /// What [`Home::databases`] falls back to.
    pub(crate) fn databases_elsewhere(&self) -> PathBuf {
        Path::new("/var/lib/escale").join(self.tag())
    }

    /// A short tag that marks what this installation leaves on the host (namespaces, cgroups), so that two of them
    /// never meet. It follows from the path, hence is the same after a restart.
    pub(crate) fn tag(&self) -> String {
        // FNV-1a: it must be stable over versions of the compiler, and nothing more.
        let hash = self
            .0
            .as_os_str()
            .as_encoded_bytes()
            .iter()
            .fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
        format!("{:08x}", hash as u32)
    }
}

/// Makes what is missing on the way. Each folder belongs to whom the one around it belongs to: `sudo` often keeps the user's
/// HOME, and a `~/.local` of root's would lock the user's other programs out of it.
fn make_parents(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let Some(parent) = folder.parent() else { return Ok(()) };
    make_parents(parent)?;
    let owner = std::fs::metadata(parent)?;
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && folder.is_dir() => return Ok(()),
        made => made?,
    }
    if nix::unistd::geteuid().is_root() {
        // By descriptor, and never through a link: the folder's owner may put something else in its place meanwhile.
        let flags = nix::libc::O_DIRECTORY | nix::libc::O_NOFOLLOW;
        let made = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(folder)?;
        std::os::unix::fs::fchown(&made, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}

/// With this mode if it is made; one that is there keeps its own.
fn make_folder(folder: &Path, mode: u32) -> std::io::Result<()> {
    if let Some(parent) = folder.parent() {
        make_parents(parent)?;
    }
    match std::fs::DirBuilder::new().mode(mode).create(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        made => made,
    }
}
