//! Waits for the end of other processes. A pidfd, unlike a pid, never refers to a later process.

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

/// More than enough: no process that is ended this way has anything to finish, because a crash at any moment must be safe.
const GONE_WITHIN_MS: i32 = 10_000;

/// Waits until the process has ended.
pub(crate) fn wait(pid: i32) -> Result<()> {
    match pidfd(pid)? {
        Some(process) => wait_for(&process, pid),
        None => Ok(()),
    }
}

pub(crate) fn wait_for(process: &OwnedFd, pid: i32) -> Result<()> {
    let mut wait = [nix::poll::PollFd::new(process.as_fd(), nix::poll::PollFlags::POLLIN)];
    let timeout = nix::poll::PollTimeout::try_from(GONE_WITHIN_MS).context("a constant")?;
    match nix::poll::poll(&mut wait, timeout)? {
        0 => bail!(
            "the process {pid} has not ended within {} s. Kill it with `kill -9 {pid}`: it loses nothing that was acknowledged",
            GONE_WITHIN_MS / 1000
        ),
        _ => Ok(()),
    }
}

/// A handle on the process; `None` if it has ended.
pub(crate) fn pidfd(pid: i32) -> Result<Option<OwnedFd>> {
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
