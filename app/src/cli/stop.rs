//! `escale stop`: ends the daemon. Data is kept; containers and databases keep running.

use super::Output;
use crate::{home::Home, lock};
use anyhow::{Context, Result, bail};
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;
use std::os::fd::{FromRawFd, OwnedFd};

/// More than enough: the daemon has nothing to finish, because a crash at any moment must be safe.
const GONE_WITHIN_MS: i32 = 10_000;

pub(crate) fn run(home: &Home, out: &Output) -> Result<()> {
    let Some(lock::Daemon { pid, .. }) = lock::running(home)? else {
        out.say("No daemon is running.", &json!({"stopped": false}));
        return Ok(());
    };
    end(pid)?;
    out.say(&format!("Stopped the daemon (pid {pid})."), &json!({"stopped": true, "daemon": {"pid": pid}}));
    Ok(())
}

/// Ends the daemon and waits until its process has ended. A pidfd, unlike a pid, never refers to a later process.
pub(crate) fn end(pid: i32) -> Result<()> {
    let Some(handle) = pidfd(pid)? else { return Ok(()) };
    match kill(Pid::from_raw(pid), Signal::SIGTERM) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => return Err(error).with_context(|| format!("cannot stop the daemon (pid {pid})")),
    }
    let mut wait = [nix::poll::PollFd::new(std::os::fd::AsFd::as_fd(&handle), nix::poll::PollFlags::POLLIN)];
    let timeout = nix::poll::PollTimeout::try_from(GONE_WITHIN_MS).context("a constant")?;
    match nix::poll::poll(&mut wait, timeout)? {
        0 => bail!(
            "the daemon (pid {pid}) has not ended within {} s of SIGTERM. Kill it with `kill -9 {pid}`: it loses nothing that \
             was acknowledged",
            GONE_WITHIN_MS / 1000
        ),
        _ => Ok(()),
    }
}

/// A handle on the process; `None` if it has ended.
fn pidfd(pid: i32) -> Result<Option<OwnedFd>> {
    // SAFETY: pidfd_open takes two integers and returns a new descriptor that has no other owner.
    let fd = unsafe { nix::libc::syscall(nix::libc::SYS_pidfd_open, pid, 0) };
    if fd < 0 {
        return match Errno::last() {
            Errno::ESRCH => Ok(None),
            error => Err(error).with_context(|| format!("cannot open the process {pid}")),
        };
    }
    // SAFETY: the descriptor was opened above and is owned by this call only.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(fd as i32) }))
}
