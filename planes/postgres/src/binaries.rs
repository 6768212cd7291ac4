//! Finds PostgreSQL's programs, and the user that runs them.

use crate::spec::Release;
use escale_base::{
    PlaneError,
    error::Context,
    packages::{self, Package},
};
use nix::unistd::{Gid, Uid, User};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The user that runs the servers. PostgreSQL refuses to run as root.
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
            .machine(|| "look up the daemon's user".into())?
            .ok_or_else(|| PlaneError::machine(format!("the daemon's uid {own} has no user name")))?;
        if !own.is_root() {
            return Ok(RunAs { uid: own, gid: daemon.gid, name: daemon.name.clone(), daemon: daemon.name });
        }
        let user = User::from_name("postgres").machine(|| "look up the user 'postgres'".into())?;
        let user = user.ok_or_else(|| {
            let install = packages::install(Package::Postgres(None));
            PlaneError::machine(format!(
                "there is no user 'postgres'; install PostgreSQL's server: {install}"
            ))
            .retry(false)
        })?;
        Ok(RunAs { uid: user.uid, gid: user.gid, name: user.name, daemon: daemon.name })
    }
}

/// Folders with one version each, `<before><major><after>`, as the distributions and postgresql.org lay them out.
const VERSIONED: [(&str, &str, &str); 4] = [
    // Debian, Ubuntu; openSUSE; postgresql.org's packages for Red Hat's family; Alpine.
    ("usr/lib/postgresql", "", "bin"),
    ("usr/lib", "postgresql", "bin"),
    ("usr", "pgsql-", "bin"),
    ("usr/libexec", "postgresql", ""),
];

/// Folders with the distribution's default version (Fedora, Arch), or with one that was built by hand.
const UNVERSIONED: [&str; 3] = ["usr/bin", "usr/local/bin", "usr/local/pgsql/bin"];

/// The programs that a server, its standby and its failover need.
const PROGRAMS: [&str; 6] =
    ["postgres", "initdb", "pg_basebackup", "pg_rewind", "pg_resetwal", "pg_controldata"];

/// The versions of PostgreSQL on this machine: the folder of each one's programs, by major version.
#[derive(Clone, Debug, Default)]
pub struct Installed(BTreeMap<u32, PathBuf>);

impl Installed {
    /// Searches every place where packages install them. If a version is found twice, the versioned folder wins.
    pub fn find() -> Installed {
        Installed::below(Path::new("/"))
    }

    fn below(root: &Path) -> Installed {
        let mut found = BTreeMap::new();
        for (parent, before, after) in VERSIONED {
            let entries = fs::read_dir(root.join(parent)).into_iter().flatten().flatten();
            for entry in entries {
                let name = entry.file_name();
                let major = name.to_str().and_then(|n| n.strip_prefix(before)?.parse::<u32>().ok());
                // An empty `after` is the folder itself, without a trailing slash.
                let dir = if after.is_empty() { entry.path() } else { entry.path().join(after) };
                if let Some(major) = major.filter(|_| dir.join("postgres").is_file()) {
                    found.entry(major).or_insert(dir);
                }
            }
        }
        for dir in UNVERSIONED.map(|dir| root.join(dir)) {
            // Such a folder does not name its version, so the program is executed for it; `or_insert` keeps a versioned folder.
            if let Some(major) = version_of(&dir.join("postgres")) {
                found.entry(major).or_insert(dir);
            }
        }
        Installed(found)
    }

    /// Ascending.
    pub fn majors(&self) -> Vec<u32> {
        self.0.keys().copied().collect()
    }

    pub fn newest(&self) -> Option<u32> {
        self.0.keys().next_back().copied()
    }

    /// A program such as `psql`, of the newest version that has it.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        self.0.values().rev().map(|folder| folder.join(name)).find(|program| program.is_file())
    }

    /// The folder of a version's programs.
    pub fn folder(&self, major: u32) -> Option<&Path> {
        self.0.get(&major).map(PathBuf::as_path)
    }
}

/// `postgres (PostgreSQL) 16.3` is 16.
fn version_of(program: &Path) -> Option<u32> {
    if !program.is_file() {
        return None;
    }
    let answer = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    let number = text.split_once("(PostgreSQL) ")?.1;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)` is 15.14.
pub(crate) fn release_of(program: &Path) -> Option<Release> {
    let answer = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    text.split_once("(PostgreSQL) ")?.1.parse().ok()
}

/// The programs of one major version.
#[derive(Clone, Debug)]
pub(crate) struct Binaries {
    dir: PathBuf,
}

impl Binaries {
    /// Searched again at each call: a version may be installed while the daemon runs.
    pub(crate) fn probe(version: u32) -> Result<Binaries, PlaneError> {
        let installed = Installed::find();
        let install = packages::install(Package::Postgres(Some(version)));
        let Some(dir) = installed.folder(version) else {
            let rest = match installed.majors().as_slice() {
                [] => String::new(),
                some => format!(", or use an installed version: {some:?}"),
            };
            let text = format!("PostgreSQL {version} is not installed: {install}{rest}");
            return Err(PlaneError::machine(text).retry(false));
        };
        match PROGRAMS.iter().find(|program| !dir.join(program).is_file()) {
            None => Ok(Binaries { dir: dir.to_owned() }),
            Some(program) => {
                let missing = dir.join(program);
                let text = format!("PostgreSQL {version} has no {}: {install}", missing.display());
                Err(PlaneError::machine(text).retry(false))
            }
        }
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// Installs a fake program that reports that version.
    fn install(root: &Path, dir: &str, version: &str) {
        let dir = root.join(dir);
        fs::create_dir_all(&dir).unwrap();
        let program = dir.join("postgres");
        fs::write(&program, format!("#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")).unwrap();
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn finds_servers_in_the_layout_of_each_distribution() {
        for (dirs, found) in [
            (&[][..], &[][..]),
            (&[("usr/lib/postgresql/15/bin", "15.4")], &[(15, "usr/lib/postgresql/15/bin")][..]),
            (&[("usr/lib/postgresql16/bin", "16.1")], &[(16, "usr/lib/postgresql16/bin")]),
            (&[("usr/pgsql-17/bin", "17.0")], &[(17, "usr/pgsql-17/bin")]),
            (&[("usr/libexec/postgresql15", "15.4")], &[(15, "usr/libexec/postgresql15")]),
            (&[("usr/bin", "16.3 (Fedora 41)")], &[(16, "usr/bin")]),
            (&[("usr/local/bin", "18beta1")], &[(18, "usr/local/bin")]),
            (
                &[("usr/bin", "16.3"), ("usr/pgsql-16/bin", "16.9"), ("usr/lib/postgresql/15/bin", "15.4")],
                &[(15, "usr/lib/postgresql/15/bin"), (16, "usr/pgsql-16/bin")],
            ),
            // A client without a server does not count, and an unknown program of that name is ignored.
            (&[("usr/bin", "unknown")], &[]),
        ] {
            let root = tempfile::tempdir().unwrap();
            dirs.iter().for_each(|(dir, version)| install(root.path(), dir, version));
            let expected: BTreeMap<u32, PathBuf> =
                found.iter().map(|(major, dir)| (*major, root.path().join(dir))).collect();
            assert_eq!(Installed::below(root.path()).0, expected, "{dirs:?}");
        }
    }

    #[test]
    fn program_is_of_the_newest_version_that_has_it() {
        let root = tempfile::tempdir().unwrap();
        install(root.path(), "usr/lib/postgresql/15/bin", "15.4");
        install(root.path(), "usr/lib/postgresql/16/bin", "16.1");
        let psql = root.path().join("usr/lib/postgresql/15/bin/psql");
        assert_eq!(Installed::below(root.path()).program("psql"), None);
        fs::write(&psql, "").unwrap();
        assert_eq!(Installed::below(root.path()).program("psql"), Some(psql));
        let newest = root.path().join("usr/lib/postgresql/16/bin/postgres");
        assert_eq!(Installed::below(root.path()).program("postgres"), Some(newest));
    }
}
