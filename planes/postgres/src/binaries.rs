//! Where PostgreSQL's programs stand, and as whom they run.

use escale_base::{PlaneError, error::Context};
use nix::unistd::{Gid, Uid, User};
use std::path::{Path, PathBuf};

/// Whom the servers run as. PostgreSQL refuses to run as root.
#[derive(Clone, Debug)]
pub(crate) struct RunAs {
    pub(crate) uid: Uid,
    pub(crate) gid: Gid,
    pub(crate) name: String,
    /// The daemon's own user name: it logs in over the socket too.
    pub(crate) daemon: String,
}

impl RunAs {
    /// The user `postgres` when the daemon is root, else the daemon's own user.
    pub(crate) fn probe() -> Result<RunAs, PlaneError> {
        let own = Uid::effective();
        let daemon = User::from_uid(own)
            .machine(|| "look up the daemon's own user".into())?
            .ok_or_else(|| PlaneError::machine(format!("the daemon's uid {own} has no user name")))?;
        if !own.is_root() {
            return Ok(RunAs { uid: own, gid: daemon.gid, name: daemon.name.clone(), daemon: daemon.name });
        }
        let user = User::from_name("postgres").machine(|| "look up the user 'postgres'".into())?;
        let user = user.ok_or_else(|| {
            PlaneError::machine("there is no user 'postgres'; install a server: apt-get install postgresql")
                .retry(false)
        })?;
        Ok(RunAs { uid: user.uid, gid: user.gid, name: user.name, daemon: daemon.name })
    }
}

/// The programs of one major version.
#[derive(Clone, Debug)]
pub(crate) struct Binaries {
    dir: PathBuf,
}

impl Binaries {
    pub(crate) fn probe(root: &Path, version: u32) -> Result<Binaries, PlaneError> {
        let dir = root.join(version.to_string()).join("bin");
        let needed = ["postgres", "initdb", "pg_basebackup", "pg_rewind", "pg_resetwal", "pg_controldata"];
        match needed.iter().find(|program| !dir.join(program).is_file()) {
            None => Ok(Binaries { dir }),
            Some(program) => Err(PlaneError::machine(format!(
                "PostgreSQL {version} is not installed: no {}; apt-get install postgresql-{version}, or ask for \
                 one of {:?}",
                dir.join(program).display(),
                installed(root)
            ))
            .retry(false)),
        }
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// Major versions found under `root` (`/usr/lib/postgresql` on Debian), ascending.
pub fn installed(root: &Path) -> Vec<u32> {
    let mut found: Vec<u32> = std::fs::read_dir(root)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|v: &u32| root.join(v.to_string()).join("bin/postgres").is_file())
        .collect();
    found.sort_unstable();
    found
}
