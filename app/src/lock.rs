//! Who is the daemon of a home: a file that it holds a lock on, and where it answers.

use crate::{home::Home, root_key};
use anyhow::{Context, Result, bail};
use escale_wiring::RootKey;
use nix::fcntl::{Flock, FlockArg};
use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    time::{Duration, Instant},
};

/// From the moment at which a daemon holds the lock to that at which the file says who it is: it only writes a line.
const TOLD_WITHIN: Duration = Duration::from_secs(2);

/// The lock that says which process is the daemon of a home. The kernel lets go of it when the process dies.
pub(crate) struct Lock {
    _file: Flock<File>,
}

impl Lock {
    /// Takes it, and tells the command line who the daemon is, where it will answer and which root key it accepts.
    pub(crate) fn take(home: &Home, endpoint: &str, web_port: u16, key: &RootKey) -> Result<Lock> {
        let path = home.lock();
        let file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(&path);
        let file = file.with_context(|| format!("cannot open {}", path.display()))?;
        let mut file = exclusively(file).with_context(|| {
            format!("a daemon runs already in {} ({})", home.path().display(), told(home).trim_end())
        })?;
        file.set_len(0)?;
        root_key::publish(home, key)?;
        // The line's end says that all of it is there.
        let told = format!("{} {endpoint} {web_port}\n", std::process::id());
        file.write_all(told.as_bytes()).context("cannot write the lock")?;
        Ok(Lock { _file: file })
    }
}

/// Who looks whether a daemon runs (see [`running`]) shares the lock for an instant: that is no reason to give up.
fn exclusively(mut file: File) -> Result<Flock<File>> {
    loop {
        file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(locked) => return Ok(locked),
            Err((file, _)) => file,
        };
        // Only a daemon holds it against those who share.
        let shared = Flock::lock(file, FlockArg::LockSharedNonblock).map_err(|(_, error)| error)?;
        file = shared.unlock().map_err(|(_, error)| error)?;
        std::thread::yield_now();
    }
}

/// One verb that changes something at a time in a home; it is the folder itself that is locked, so that nothing is left of it.
pub(crate) fn alone(home: &Home) -> Result<Flock<File>> {
    if !nix::unistd::geteuid().is_root() {
        bail!("what this changes needs root; run it as root, for example through sudo");
    }
    home.create()?;
    let open = || File::open(home.path()).with_context(|| format!("cannot open {}", home.path().display()));
    match Flock::lock(open()?, FlockArg::LockExclusiveNonblock) {
        Ok(locked) => Ok(locked),
        Err(_) => {
            eprintln!("another escale is at work in {}; waiting for it to end", home.path().display());
            Ok(Flock::lock(open()?, FlockArg::LockExclusive).map_err(|(_, error)| error)?)
        }
    }
}

/// The daemon that runs in a home.
pub(crate) struct Daemon {
    pub(crate) pid: i32,
    pub(crate) endpoint: String,
    pub(crate) web_port: u16,
}

/// The daemon that runs in this home, if one does. Whoever holds the lock says who it is in the next instant.
pub(crate) fn running(home: &Home) -> Result<Option<Daemon>> {
    let deadline = Instant::now() + TOLD_WITHIN;
    loop {
        let file = match File::open(home.lock()) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return Err(error).with_context(|| {
                    format!(
                        "whether a daemon runs cannot be read from {}: this user may not open it. Run the same command as \
                         root, for example through sudo",
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
        if let Some(daemon) = read(&told(home)) {
            return Ok(Some(daemon));
        }
        if Instant::now() > deadline {
            bail!(
                "a process holds {} and does not say in it who it is, as a daemon of this version does; end it: \
                 fuser -k {0}",
                home.lock().display()
            );
        }
        std::thread::yield_now();
    }
}

fn read(told: &str) -> Option<Daemon> {
    let mut words = told.strip_suffix('\n')?.split(' ');
    Some(Daemon {
        pid: words.next()?.parse().ok()?,
        endpoint: words.next()?.to_owned(),
        web_port: words.next()?.parse().ok()?,
    })
}

fn told(home: &Home) -> String {
    fs::read_to_string(home.lock()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn only_a_whole_line_is_believed() {
        let daemon = read("12 127.0.0.1:4566 8080\n").unwrap();
        assert_eq!((daemon.pid, daemon.endpoint.as_str(), daemon.web_port), (12, "127.0.0.1:4566", 8080));
        for told in ["", "12", "12\n", "12 127.0.0.1:4566 80", "12 127.0.0.1:4566 x\n"] {
            assert!(read(told).is_none(), "{told:?}");
        }
    }
}
