//! Who is the daemon of a home: a file that it holds a lock on, and where it answers.

use crate::home::Home;
use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};
use std::{
    fs::{self, File, OpenOptions},
    io::Write,
};

/// The lock that says which process is the daemon of a home. The kernel lets go of it when the process dies.
pub(crate) struct Lock {
    file: Flock<File>,
}

impl Lock {
    pub(crate) fn take(home: &Home) -> Result<Lock> {
        let path = home.lock();
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
        let file = file.with_context(|| format!("cannot open {}", path.display()))?;
        let file = exclusively(file).with_context(|| {
            format!("a daemon runs already in {} ({})", home.path().display(), told(home))
        })?;
        file.set_len(0)?;
        Ok(Lock { file })
    }

    /// Tells the command line who the daemon is and where it answers.
    pub(crate) fn tell(&mut self, endpoint: &str, web_port: u16) -> Result<()> {
        write!(self.file, "{} {endpoint} {web_port}", std::process::id())?;
        self.file.flush().context("cannot write the lock")
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

/// The daemon that runs in this home, if one does.
pub(crate) fn running(home: &Home) -> Option<Daemon> {
    let file = OpenOptions::new().read(true).write(true).open(home.lock()).ok()?;
    if Flock::lock(file, FlockArg::LockSharedNonblock).is_ok() {
        return None;
    }
    let told = told(home);
    let mut words = told.split(' ');
    Some(Daemon {
        pid: words.next()?.parse().ok()?,
        endpoint: words.next()?.to_owned(),
        web_port: words.next()?.parse().ok()?,
    })
}

fn told(home: &Home) -> String {
    fs::read_to_string(home.lock()).unwrap_or_default()
}
