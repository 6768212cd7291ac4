//! Processes in containers: commands, signals, and the end of leftover processes.

use crate::{
    limits,
    machine::ShimCommand,
    runtime,
    seen::{ExecOutput, Running},
    shim,
    store::{self, ContainerDir},
};
use escale_base::{PlaneError, error::Context, ids};
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rustix::process::{PidfdFlags, pidfd_open};
use serde_json::Value;
use std::{
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncReadExt, Interest, unix::AsyncFd};

/// Runs a command and waits for its end.
pub(crate) async fn run(
    shim: &ShimCommand,
    dir: &ContainerDir,
    argv: &[String],
    timeout: Duration,
) -> Result<ExecOutput, PlaneError> {
    let place = || format!("run '{}' in {}", argv[0], dir.0.display());
    let files = Files::new(dir);
    store::write_json(&files.process, &process(dir, argv)?, false).machine(place)?;

    let mut command = tokio::process::Command::new(&shim.program);
    command.args(&shim.arguments).arg("exec").arg(&dir.0);
    command.arg(&files.process).arg(&files.pid).arg(&files.log);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().machine(place)?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let all = async { tokio::join!(gather(out), gather(err), child.wait()) };
    let Ok((stdout, stderr, status)) = tokio::time::timeout(timeout, all).await else {
        return Err(PlaneError::asked(format!(
            "'{}' had not ended after {timeout:?} and was killed",
            argv[0]
        )));
    };
    files.done();
    let status = status.machine(place)?;
    if let Some(text) = runtime::error_text(&fs::read_to_string(&files.log).unwrap_or_default()) {
        return Err(PlaneError::asked(format!("'{}' cannot be run: {text}", argv[0])));
    }
    use std::os::unix::process::ExitStatusExt;
    // As shells count: 128 plus the number of the signal.
    let code = status.code().or(status.signal().map(|s| 128 + s)).unwrap_or(-1);
    Ok(ExecOutput { code, stdout: stdout.machine(place)?, stderr: stderr.machine(place)? })
}

/// The runtime's description of a command. All other settings, such as user and environment, are those of the container's first
/// process.
pub(crate) fn process(dir: &ContainerDir, argv: &[String]) -> Result<Value, PlaneError> {
    let config: Option<Value> = store::read_json(&dir.path("config.json"));
    let mut process = config.and_then(|c| c.get("process").cloned()).ok_or_else(|| {
        PlaneError::plane(format!(
            "{} has no process to copy the settings from",
            dir.path("config.json").display()
        ))
    })?;
    process["args"] = argv.into();
    Ok(process)
}

async fn gather(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    if let Some(mut pipe) = pipe {
        (&mut pipe).take(limits::EXEC_OUTPUT_BYTES).read_to_end(&mut kept).await?;
        // The rest is read as well: a full pipe would block the command forever.
        tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await?;
    }
    Ok(kept)
}

/// The files of one command. When it is dropped early, the process is killed too.
pub(crate) struct Files {
    pub(crate) process: PathBuf,
    pub(crate) pid: PathBuf,
    pub(crate) log: PathBuf,
    over: std::cell::Cell<bool>,
}

impl Files {
    pub(crate) fn new(dir: &ContainerDir) -> Files {
        let name = ids::random_hex(16);
        let file = |kind: &str| dir.path("x").join(format!("{name}.{kind}"));
        Files { process: file("json"), pid: file("pid"), log: file("log"), over: false.into() }
    }

    /// The command has ended, or something else now ends it.
    pub(crate) fn done(&self) {
        self.over.set(true);
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if !self.over.get()
            && let Some(pid) = read_pid(&self.pid)
        {
            // The process may just have ended.
            let _ = kill(pid, Signal::SIGKILL);
        }
        for path in [&self.process, &self.pid, &self.log] {
            let _ = fs::remove_file(path); // not every command writes all three
        }
    }
}

pub(crate) fn read_pid(path: &Path) -> Option<Pid> {
    fs::read_to_string(path).ok()?.trim().parse().ok().map(Pid::from_raw)
}

/// Sends a signal to a container's first process, and never to another process that got its pid later.
pub(crate) fn send(to: &Running, number: i32) -> io::Result<()> {
    let Some(pid) = rustix::process::Pid::from_raw(to.pid) else { return Ok(()) };
    // The descriptor is opened before the check: it stays bound to the process it was opened for.
    let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
        Err(rustix::io::Errno::SRCH) => return Ok(()),
        other => other?,
    };
    if shim::start_ticks(to.pid) != Some(to.start_ticks) {
        return Ok(());
    }
    let signal = rustix::process::Signal::from_named_raw(number)
        .ok_or_else(|| io::Error::other(format!("{number} is not a signal")))?;
    match rustix::process::pidfd_send_signal(pidfd, signal) {
        Err(rustix::io::Errno::SRCH) => Ok(()),
        other => Ok(other?),
    }
}

/// Kills processes and waits until they are gone.
pub(crate) async fn end_all(pids: &[i32]) -> io::Result<()> {
    let mut open = Vec::new();
    for pid in pids {
        let Some(raw) = rustix::process::Pid::from_raw(*pid) else { continue };
        match pidfd_open(raw, PidfdFlags::empty()) {
            Err(rustix::io::Errno::SRCH) => continue,
            other => open.push(other?),
        }
        match kill(Pid::from_raw(*pid), Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(e) => return Err(e.into()),
        }
    }
    let wait = Duration::from_millis(limits::KILL_WAIT_MS);
    for pidfd in open {
        let ended = watched(pidfd, Interest::READABLE)?;
        if tokio::time::timeout(wait, ended.readable()).await.is_err() {
            return Err(io::Error::other("a process still runs after SIGKILL"));
        }
    }
    Ok(())
}

/// Registers a descriptor with the reactor of tokio's runtime.
pub(crate) fn watched(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd is one open descriptor, the same until the AsyncFd drops it.
    Ok(unsafe { AsyncFd::register_with_interest(fd, interest)? })
}
