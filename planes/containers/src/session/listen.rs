//! The shim's side: accepts clients and starts a process for each. It never reads from a client, so that none can delay it.

use super::{
    SOCKET,
    frame::{Kind, encode},
};
use crate::limits;
use nix::sys::stat::{Mode, umask};
use rustix::net::sockopt::socket_peercred;
use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs, io,
    io::Write,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{
            fs::MetadataExt,
            net::{UnixListener, UnixStream},
        },
    },
    path::Path,
    process::{Command, Stdio},
};

/// The socket of a container, and the processes of its sessions.
pub(crate) struct Sessions {
    /// `None` if it could not be opened: the container then runs without sessions.
    listener: Option<UnixListener>,
    running: BTreeSet<i32>,
}

impl Sessions {
    /// Opens the socket in the current directory, which must be the container's.
    pub(crate) fn open() -> Sessions {
        let listener = listen().inspect_err(|e| complain("cannot accept sessions", e)).ok();
        Sessions { listener, running: BTreeSet::new() }
    }

    /// The socket to poll for clients.
    pub(crate) fn waiting(&self) -> Option<BorrowedFd<'_>> {
        self.listener.as_ref().map(AsFd::as_fd)
    }

    /// Accepts one client, if there is one.
    pub(crate) fn accept(&mut self) {
        let Some(listener) = &self.listener else { return };
        let client = match listener.accept() {
            Ok((client, _)) => client,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
            Err(e) => return complain("cannot accept a session", &e),
        };
        let started = may_enter(&client).and_then(|()| match self.running.len() {
            limits::SESSIONS => Err(io::Error::other(format!(
                "the container has {} sessions, the most it may have. End one of them first",
                limits::SESSIONS
            ))),
            _ => start(&client),
        });
        match started {
            Ok(pid) => {
                self.running.insert(pid);
            }
            Err(e) => {
                // The client may already be gone. Its socket's buffer is empty, so this cannot block.
                let sent = encode(Kind::Failed, e.to_string().as_bytes())
                    .and_then(|text| (&client).write_all(&text));
                drop(sent);
            }
        }
    }

    /// A child of the shim was reaped.
    pub(crate) fn ended(&mut self, pid: i32) {
        self.running.remove(&pid);
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        if self.listener.is_some() {
            // The group's directory may have been removed already.
            let _ = fs::remove_file(SOCKET);
        }
    }
}

/// Standard error is the shim's log, which may be on a full disk; then the message is lost.
fn complain(what: &str, error: &io::Error) {
    let _ = writeln!(io::stderr(), "container shim: {what}: {error}");
}

fn listen() -> io::Result<UnixListener> {
    let before = umask(Mode::S_IRWXG | Mode::S_IRWXO);
    let listener = UnixListener::bind(SOCKET);
    umask(before);
    let listener = listener?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// The directory's mode keeps other users out already; this holds even if someone changes the mode.
fn may_enter(client: &UnixStream) -> io::Result<()> {
    let peer = socket_peercred(client)?.uid.as_raw();
    let owner = fs::metadata(Path::new("."))?.uid();
    if is_allowed(peer, owner) {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "the user {peer} may not begin a session: only root and the user {owner} may"
    )))
}

fn is_allowed(peer: u32, owner: u32) -> bool {
    peer == 0 || peer == owner
}

/// Starts this same program as the session's process, with the connection as its standard input.
fn start(client: &UnixStream) -> io::Result<i32> {
    // `… run DIR` becomes `… session DIR`.
    let mut arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match arguments.iter_mut().nth_back(1) {
        Some(verb) => *verb = "session".into(),
        None => return Err(io::Error::other("the shim has no arguments")),
    }
    let connection = OwnedFd::from(client.try_clone()?);
    // The running program itself, even if its file was replaced by a newer version.
    let mut command = Command::new("/proc/self/exe");
    command.args(arguments).stdin(connection).stdout(Stdio::null());
    let child = command.spawn()?;
    // The shim reaps all of its children; see `Kept::reap`.
    i32::try_from(child.id()).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_root_and_the_owner_may_begin_a_session() {
        for (peer, owner, allowed) in
            [(0, 0, true), (0, 1000, true), (1000, 1000, true), (1000, 0, false), (7, 1000, false)]
        {
            assert_eq!(super::is_allowed(peer, owner), allowed, "{peer} {owner}");
        }
    }
}
