//! `escale stop`: ends the daemon. The data stays, and what it runs goes on.

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

/// The daemon has nothing to finish: it is crash-only.
const GONE_WITHIN_MS: i32 = 10_000;

pub(crate) fn run(home: &Home, out: &Output) -> Result<()> {
    let Some(lock::Daemon { pid, .. }) = lock::running(home)? else {
        out.say("no daemon runs", &json!({"stopped": false}));
        return Ok(());
    };
    end(pid)?;
    out.say(&format!("stopped (pid {pid})"), &json!({"stopped": true, "daemon": {"pid": pid}}));
    Ok(())
}

/// Ends the daemon and waits until it is gone.
pub(crate) fn end(pid: i32) -> Result<()> {
    let Some(handle) = pidfd(pid)? else { return Ok(()) };
    match kill(Pid::from_raw(pid), Signal::SIGTERM) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => return Err(error).with_context(|| format!("cannot stop the daemon (pid {pid})")),
    }
    let mut wait = [nix::poll::PollFd::new(std::os::fd::AsFd::as_fd(&handle), nix::poll::PollFlags::POLLIN)];
    let timeout = nix::poll::PollTimeout::try_from(GONE_WITHIN_MS).context("a constant")?;
    match nix::poll::poll(&mut wait, timeout)? {
        0 => bail!("the daemon (pid {pid}) does not stop"),
        _ => Ok(()),
    }
}

/// `None` if the process is gone already.
fn pidfd(pid: i32) -> Result<Option<OwnedFd>> {
    // SAFETY: pidfd_open takes two integers and gives a new descriptor that nobody else owns.
    let fd = unsafe { nix::libc::syscall(nix::libc::SYS_pidfd_open, pid, 0) };
    if fd < 0 {
        return match Errno::last() {
            Errno::ESRCH => Ok(None),
            error => Err(error).with_context(|| format!("process {pid}")),
        };
    }
    // SAFETY: just opened, see above.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(fd as i32) }))
}
