//! The daemon's lock: the file that the daemon of a home keeps locked, with its pid and addresses.

use crate::{home::Home, root_key};
use anyhow::{Context, Result, bail};
use escale_service::Config;
use escale_wiring::RootKey;
use nix::fcntl::{Flock, FlockArg};
use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    time::{Duration, Instant},
};

/// How long a daemon may take from taking the lock to writing its line into the file. It does little else between.
const ANNOUNCED_WITHIN: Duration = Duration::from_secs(2);

/// The lock of a home's daemon. The kernel releases it when the process dies.
pub(crate) struct Lock {
    _file: Flock<File>,
}

impl Lock {
    /// Takes the lock, and writes for the command line the daemon's pid, its addresses and the root key that it accepts.
    pub(crate) fn take(home: &Home, config: &Config, key: &RootKey) -> Result<Lock> {
        let path = home.lock();
        let file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(&path);
        let file = file.with_context(|| format!("cannot open {}", path.display()))?;
        let mut file = exclusively(file).with_context(|| {
            format!(
                "a daemon is already running in {} (pid and addresses: {}). Stop it first: `escale stop`",
                home.path().display(),
                announcement(home).trim_end()
            )
        })?;
        file.set_len(0)?;
        root_key::publish(home, key)?;
        // A reader takes the newline as the sign that the line is complete.
        let Config { endpoint, web_port, https_port, .. } = config;
        let line = format!("{} {endpoint} {web_port} {https_port}\n", std::process::id());
        file.write_all(line.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Lock { _file: file })
    }
}

/// Takes the exclusive lock. Commands that check for a daemon (see [`running`]) hold a shared lock for an instant, so a failure
/// is retried unless the holder is a daemon.
fn exclusively(mut file: File) -> Result<Flock<File>> {
    loop {
        file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(locked) => return Ok(locked),
            Err((file, _)) => file,
        };
        // A shared lock fails only if another daemon holds the exclusive one.
        let shared = Flock::lock(file, FlockArg::LockSharedNonblock).map_err(|(_, error)| error)?;
        file = shared.unlock().map_err(|(_, error)| error)?;
        std::thread::yield_now();
    }
}

/// Lets only one command at a time change a home. The home's folder itself is locked, so that no lock file is left.
pub(crate) fn alone(home: &Home) -> Result<Flock<File>> {
    if !nix::unistd::geteuid().is_root() {
        bail!("this command needs root. Run it as root, for example with sudo");
    }
    home.create()?;
    let open = || File::open(home.path()).with_context(|| format!("cannot open {}", home.path().display()));
    match Flock::lock(open()?, FlockArg::LockExclusiveNonblock) {
        Ok(locked) => Ok(locked),
        Err(_) => {
            eprintln!("waiting for another escale command in {} to end", home.path().display());
            Ok(Flock::lock(open()?, FlockArg::LockExclusive).map_err(|(_, error)| error)?)
        }
    }
}

/// The daemon that runs in a home.
pub(crate) struct Daemon {
    pub(crate) pid: i32,
    pub(crate) endpoint: String,
    pub(crate) web_port: u16,
    pub(crate) https_port: u16,
}

/// The daemon that runs in this home, if any. The holder of the lock writes its line within an instant, so a missing line is
/// waited for.
pub(crate) fn running(home: &Home) -> Result<Option<Daemon>> {
    let deadline = Instant::now() + ANNOUNCED_WITHIN;
    loop {
        let file = match File::open(home.lock()) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return Err(error).with_context(|| {
                    format!(
                        "cannot check whether a daemon runs: this user may not open {}. Run this command as root, for example \
                         with sudo",
                        home.lock().display()
                    )
                });
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot open {}", home.lock().display()));
            }
        };
        if Flock::lock(file, FlockArg::LockSharedNonblock).is_ok() {
            return Ok(None);
        }
        if let Some(daemon) = read(&announcement(home)) {
            return Ok(Some(daemon));
        }
        if Instant::now() > deadline {
            bail!(
                "a process has locked {} and has not written its pid into it, so it is not a daemon of this version. End \
                 it: fuser -k {0}",
                home.lock().display()
            );
        }
        std::thread::yield_now();
    }
}

fn read(announcement: &str) -> Option<Daemon> {
    let mut words = announcement.strip_suffix('\n')?.split(' ');
    Some(Daemon {
        pid: words.next()?.parse().ok()?,
        endpoint: words.next()?.to_owned(),
        web_port: words.next()?.parse().ok()?,
        // Absent if a daemon of an earlier version runs.
        https_port: words.next().map_or(Some(Config::default().https_port), |word| word.parse().ok())?,
    })
}

fn announcement(home: &Home) -> String {
    fs::read_to_string(home.lock()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn reads_only_a_complete_line() {
        let daemon = read("12 127.0.0.1:4566 8080 8444\n").unwrap();
        assert_eq!((daemon.pid, daemon.endpoint.as_str()), (12, "127.0.0.1:4566"));
        assert_eq!((daemon.web_port, daemon.https_port), (8080, 8444));
        assert_eq!(read("12 127.0.0.1:4566 8080\n").unwrap().https_port, 8443, "of an earlier version");
        for incomplete in ["", "12", "12\n", "12 127.0.0.1:4566 80", "12 127.0.0.1:4566 x\n"] {
            assert!(read(incomplete).is_none(), "{incomplete:?}");
        }
    }
}
