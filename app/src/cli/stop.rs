//! `escale stop`: ends the daemon and the data plane's process. Data is kept; containers and databases keep running.

use super::Output;
use crate::{home::Home, lock, plane, process};
use anyhow::{Context, Result};
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;

pub(crate) async fn run(home: &Home, out: &Output) -> Result<()> {
    let daemon = lock::running(home)?.map(|daemon| daemon.pid);
    if let Some(pid) = daemon {
        end(pid)?;
    }
    // After the daemon, which would start it again.
    let plane = plane::end(home).await?;
    let text = match (daemon, plane) {
        (Some(pid), Some(plane)) => {
            format!("Stopped the daemon (pid {pid}) and the data plane (pid {plane}).")
        }
        (Some(pid), None) => format!("Stopped the daemon (pid {pid})."),
        (None, Some(plane)) => format!("Stopped the data plane (pid {plane}). No daemon was running."),
        (None, None) => "No daemon is running.".to_owned(),
    };
    let stopped = daemon.is_some() || plane.is_some();
    out.say(&text, &json!({"stopped": stopped, "daemon": {"pid": daemon}, "plane": {"pid": plane}}));
    Ok(())
}

/// Ends the daemon and waits until its process has ended. The data plane goes on.
pub(crate) fn end(pid: i32) -> Result<()> {
    let Some(handle) = process::pidfd(pid)? else { return Ok(()) };
    match kill(Pid::from_raw(pid), Signal::SIGTERM) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => return Err(error).with_context(|| format!("cannot stop the daemon (pid {pid})")),
    }
    process::wait_for(&handle, pid).context("the daemon still runs after SIGTERM")
}
