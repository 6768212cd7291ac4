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

    /// Makes its folder, if it does not exist yet.
    /// Others may pass through it, as PostgreSQL's user must, and see nothing.
    pub(crate) fn create(&self) -> Result<()> {
        make_folder(&self.0, PASSED_THROUGH).with_context(|| {
            format!("cannot create {}; say where the data shall lie: ESCALE_HOME=DIR", self.0.display())
        })
    }

    /// Takes away what earlier versions gave to others: reading the home, and files in it. New files are made without
    /// (see `main`).
    pub(crate) fn close(&self) -> Result<()> {
        let closed = close(&self.0, PASSED_THROUGH).and_then(|()| {
            for folder in PRIVATE {
                close(&self.0.join(folder), 0o700)?;
                close_files(&self.0.join(folder))?;
            }
            close_files(&self.0)?;
            close_files(&self.databases())?;
            Ok(())
        });
        closed.with_context(|| format!("cannot close {} to other users", self.0.display()))
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

/// Folders that nobody else may enter.
const PRIVATE: [&str; 7] = ["apps", "builds", "containers", "images", "logs", "network", "objects"];

/// What others may do with a folder on the way to databases: enter it, and not list it.
const PASSED_THROUGH: u32 = 0o711;

/// Takes rights away, gives none.
fn close(path: &Path, most: u32) -> std::io::Result<()> {
    let metadata = match path.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        metadata => metadata?,
    };
    let mode = metadata.permissions().mode() & 0o7777;
    match mode & !most {
        0 => Ok(()),
        _ if metadata.is_symlink() => Ok(()),
        _ => std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode & most)),
    }
}

/// The files right in a folder, if it exists.
fn close_files(folder: &Path) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        match entry.file_type()?.is_file().then(|| close(&entry.path(), 0o700)) {
            // SQLite removes files of its own at any time.
            Some(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// With this mode if it is made; one that exists keeps its own.
fn make_folder(folder: &Path, mode: u32) -> std::io::Result<()> {
    make_parents(folder)?;
    make_one(folder, mode, None)
}

/// Makes what is missing on the way. Others may pass through it whatever the umask, as PostgreSQL's user must. Each folder belongs to
/// the owner of the one around it: `sudo` often keeps the user's HOME, and a `~/.local` of root's would lock the user's other
/// programs out of it.
fn make_parents(folder: &Path) -> std::io::Result<()> {
    let above = |path: &Path| path.parent().filter(|p| !p.as_os_str().is_empty()).map(Path::to_owned);
    let Some(parent) = above(folder).filter(|p| !p.is_dir()) else { return Ok(()) };
    make_parents(&parent)?;
    let around = above(&parent).map(std::fs::metadata).transpose()?;
    let owner = around.filter(|_| nix::unistd::geteuid().is_root()).map(|m| (m.uid(), m.gid()));
    make_one(&parent, PASSED_THROUGH, owner)
}

fn make_one(folder: &Path, mode: u32, owner: Option<(u32, u32)>) -> std::io::Result<()> {
    match std::fs::DirBuilder::new().mode(mode).create(folder) {
        // Not all file systems answer "exists" first: a read-only one may not.
        Err(_) if folder.is_dir() => return Ok(()),
        made => made?,
    }
    // By descriptor, and never through a link: the owner of the folder around it may put something else in its place meanwhile.
    let flags = nix::libc::O_DIRECTORY | nix::libc::O_NOFOLLOW;
    let made = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(folder)?;
    if let Some((user, group)) = owner {
        std::os::unix::fs::fchown(&made, Some(user), Some(group))?;
    }
    // The umask took some of it away.
    made.set_permissions(std::fs::Permissions::from_mode(mode))
}
