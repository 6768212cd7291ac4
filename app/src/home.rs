//! The folder of one installation, with everything that it stores.

use anyhow::{Context, Result};
use escale_authority::Purpose;
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
            .context(
                "the folder for Escale's data is unknown, because neither ESCALE_HOME, XDG_DATA_HOME nor HOME is set. Set \
                 ESCALE_HOME=DIR",
            )?;
        // Resolves links as far as the folder exists, and creates nothing: commands that only read call this, too.
        let home =
            std::path::absolute(&home).with_context(|| format!("cannot resolve {}", home.display()))?;
        let real = home.ancestors().find_map(|a| Some((a.canonicalize().ok()?, home.strip_prefix(a).ok()?)));
        Ok(Home(real.map_or_else(|| home.clone(), |(there, rest)| there.join(rest).components().collect())))
    }

    /// Creates its folder, if it does not exist. Other users can traverse it, as PostgreSQL's user must, but not list it.
    pub(crate) fn create(&self) -> Result<()> {
        make_folder(&self.0, PASSED_THROUGH).with_context(|| {
            format!(
                "cannot create {}, the folder for Escale's data. Choose another folder with ESCALE_HOME=DIR",
                self.0.display()
            )
        })
    }

    /// Removes permissions that earlier versions gave to other users on the home and its files. New files never have them (see
    /// `main`).
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
        closed.with_context(|| format!("cannot remove other users' permissions on {}", self.0.display()))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The SQLite database with all rows.
    pub(crate) fn state(&self) -> PathBuf {
        self.0.join("state.db")
    }

    /// Locked by the running daemon; contains its pid and addresses.
    pub(crate) fn lock(&self) -> PathBuf {
        self.0.join("daemon.lock")
    }

    /// The installation's own root key.
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

    /// The log of the data plane's process.
    pub(crate) fn plane_log(&self) -> PathBuf {
        self.0.join("plane.log")
    }

    /// Opens the daemon's log for appending; only its owner can read it.
    pub(crate) fn open_log(&self) -> Result<std::fs::File> {
        open_log(&self.log())
    }

    pub(crate) fn open_plane_log(&self) -> Result<std::fs::File> {
        open_log(&self.plane_log())
    }

    /// A plane's own folder.
    pub(crate) fn plane(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The root certificate of the API on the host, and of the names that browsers open. The daemon creates it.
    pub(crate) fn root_certificate(&self) -> PathBuf {
        escale_authority::root_file(&self.plane("authority"), Purpose::Browsers)
    }

    /// Creates a folder that only its owner can enter: for user data, logs of tasks and contents of images.
    pub(crate) fn private_folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.0.join(name);
        let made = make_folder(&folder, 0o700);
        // An older version may have created the folder with more permissions.
        let own = std::fs::Permissions::from_mode(0o700);
        let closed = made.and_then(|()| std::fs::set_permissions(&folder, own));
        closed.with_context(|| format!("cannot create the private folder {}", folder.display()))?;
        Ok(folder)
    }

    /// The folder of the databases. Their servers run as another user, who must be able to traverse every parent folder. If one
    /// of them forbids that, as /root does, the databases are below /var/lib/escale.
    pub(crate) fn databases(&self) -> PathBuf {
        let open =
            |folder: &Path| std::fs::metadata(folder).is_ok_and(|m| m.permissions().mode() & 0o001 != 0);
        if self.0.ancestors().all(open) {
            self.plane("postgres")
        } else {
            self.databases_elsewhere().join("postgres")
        }
    }

    /// The fallback of [`Home::databases`].
    pub(crate) fn databases_elsewhere(&self) -> PathBuf {
        Path::new("/var/lib/escale").join(self.tag())
    }

    /// A short tag in the names of everything that this installation creates on the host (namespaces, cgroups), so that two
    /// installations do not interfere. It is derived from the path, so it is the same after a restart.
    pub(crate) fn tag(&self) -> String {
        // FNV-1a, because the tag must not change with the compiler's version, as the standard library's hash may.
        let hash = self
            .0
            .as_os_str()
            .as_encoded_bytes()
            .iter()
            .fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
        format!("{:08x}", hash as u32)
    }
}

fn open_log(path: &Path) -> Result<std::fs::File> {
    let log = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    log.with_context(|| format!("cannot write {}", path.display()))
}

/// Folders that only the owner may enter.
const PRIVATE: [&str; 10] =
    ["apps", "authority", "builds", "containers", "images", "logs", "metrics", "network", "objects", "plane"];

/// The mode of parent folders of databases: other users can traverse them but not list them.
const PASSED_THROUGH: u32 = 0o711;

/// Removes permissions beyond `most`; never adds any.
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

/// Applies [`close`] to the files directly in a folder, if it exists.
fn close_files(folder: &Path) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        match entry.file_type()?.is_file().then(|| close(&entry.path(), 0o700)) {
            // A file may vanish meanwhile: SQLite deletes its journals at any time.
            Some(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Creates a folder with this mode; an existing one keeps its mode.
fn make_folder(folder: &Path, mode: u32) -> std::io::Result<()> {
    make_parents(folder)?;
    make_one(folder, mode, None)
}

/// Creates missing parent folders. Whatever the umask, other users can traverse them, as PostgreSQL's user must. Each belongs
/// to the owner of its parent: `sudo` often keeps the user's HOME, and a `~/.local` that root owns would lock the user's other
/// programs out.
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
        // Checked whatever the error: a read-only file system may not report that the folder exists.
        Err(_) if folder.is_dir() => return Ok(()),
        made => made?,
    }
    // Through a descriptor that is not a link: the owner of the parent folder may replace the new folder meanwhile, and root
    // must not change the mode of something else.
    let flags = nix::libc::O_DIRECTORY | nix::libc::O_NOFOLLOW;
    let made = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(folder)?;
    if let Some((user, group)) = owner {
        std::os::unix::fs::fchown(&made, Some(user), Some(group))?;
    }
    // `DirBuilder` applies the umask to the mode, so it is set again.
    made.set_permissions(std::fs::Permissions::from_mode(mode))
}
