//! Server processes: started detached, found again, ended reliably.
//!
//! A server belongs to a data directory: it is the process named by `postmaster.pid` whose working directory
//! is that directory. Pids are only used through a pidfd that was opened before the check, so a recycled pid is never
//! signalled.

use crate::{binaries::RunAs, shared_memory::SharedMemory};
use escale_base::{PlaneError, error::Context};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, Signal, pidfd_open, pidfd_send_signal};
use std::{
    fs::File,
    net::SocketAddr,
    os::{
        fd::{AsFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};
use tokio::io::{Interest, unix::AsyncFd};

/// A live process whose working directory is a data directory.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    fd: OwnedFd,
}

impl Process {
    /// The server that runs on this data directory.
    pub(crate) fn server_of(data: &Path) -> Option<Process> {
        let text = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
        Process::open(text.lines().next()?.trim().parse().ok()?, data)
    }

    fn open(pid: i32, data: &Path) -> Option<Process> {
        // A single-user server, for example pg_rewind's, writes its pid with a minus.
        let raw = Pid::from_raw(Some(pid).filter(|pid| *pid > 0)?)?;
        // Before the checks: from here on a reused pid is no danger, since signals go to this descriptor.
        let fd = pidfd_open(raw, PidfdFlags::NONBLOCK).ok()?;
        let proc = PathBuf::from(format!("/proc/{pid}"));
        let program = std::fs::read_link(proc.join("exe")).ok()?;
        let (folder, program) = (std::fs::read_link(proc.join("cwd")).ok()?, program.file_name()?.to_owned());
        let program = program.to_string_lossy();
        // Before it execs the server, the process is `setsid`.
        let ours = (folder == data || folder == removed(data))
            && (program.starts_with("postgres") || program == "setsid");
        ours.then_some(Process { pid: pid.unsigned_abs(), fd })
    }

    /// Whether it is alive. While it is, its pid belongs to no other process.
    pub(crate) fn lives(&self) -> bool {
        // Signal 0 would answer the same, but its binding among the dependencies is unsafe. A pidfd is readable once the process ended.
        poll(&mut [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO) == Ok(0)
    }

    /// Whether it was killed and has not ended: the kernel shows the pending signal.
    pub(crate) fn is_dying(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let pending = |line: &str| {
            let bits = line.strip_prefix("SigPnd:").or_else(|| line.strip_prefix("ShdPnd:"));
            bits.and_then(|b| u64::from_str_radix(b.trim(), 16).ok()).is_some_and(|b| b & (1 << 8) != 0)
        };
        status.lines().any(pending)
    }

    /// Sends a signal. A process that has ended is not an error.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Err(e) = pidfd_send_signal(&self.fd, signal) {
            tracing::debug!(pid = self.pid, "cannot send a signal: {e}");
        }
    }

    /// Resolves once the process is dead.
    // Deprecated for types whose descriptor may change underneath; an OwnedFd's does not, and the
    // replacement is unsafe.
    #[allow(deprecated)]
    pub(crate) async fn gone(self) -> Result<(), PlaneError> {
        let what = || format!("watch process {}", self.pid);
        let fd = AsyncFd::with_interest(self.fd, Interest::READABLE).machine(what)?;
        fd.readable().await.map(|_| ()).machine(|| format!("watch process {}", self.pid))
    }
}

/// The kernel's name of a process's working directory after the directory was removed.
fn removed(data: &Path) -> PathBuf {
    let mut name = data.as_os_str().to_owned();
    name.push(" (deleted)");
    name.into()
}

/// Every process that works in this data directory: the server and its children.
fn all_of(data: &Path) -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|e| Process::open(e.file_name().to_str()?.parse().ok()?, data)).collect()
}

/// How long a killed process may take to end. It takes longer only if it is frozen or waits for a disk that does not answer.
const END: Duration = Duration::from_secs(5);

/// Kills the server and its children; returns once all of them are proven dead and their shared memory is
/// removed.
pub(crate) async fn fence(data: &Path) -> Result<(), PlaneError> {
    let killed = tokio::time::timeout(END, kill(data)).await.map_err(|_| {
        PlaneError::machine(format!("the killed processes in {} do not end", data.display()))
            .because("they are frozen, or wait for a disk that does not answer")
    })??;
    killed.remove().await;
    Ok(())
}

/// As [`fence`], without a limit.
pub(crate) async fn fence_patiently(data: &Path) -> Result<(), PlaneError> {
    kill(data).await?.remove().await;
    Ok(())
}

/// Closes the listening socket of a process that does not: the kernel ends the socket, and the port is free.
pub(crate) async fn close_listener(namespace: Option<PathBuf>, at: SocketAddr) -> Result<(), PlaneError> {
    let what = move || format!("close the socket that listens on {at}");
    let closed = tokio::task::spawn_blocking(move || {
        let mut command = Command::new("ss");
        command.args(["--kill", "--tcp", "--listening", "--numeric", "--no-header", "src", &at.to_string()]);
        in_namespace(namespace.as_deref(), || command.stdin(Stdio::null()).output().machine(what))
    });
    let done = closed.await.plane(what)??;
    if !done.status.success() {
        let why = String::from_utf8_lossy(&done.stderr).into_owned();
        return Err(PlaneError::machine(format!("cannot {}", what())).because(why));
    }
    Ok(())
}

/// Kills a server that is no longer the primary without waiting for its end: a frozen process ends when it is thawed, before
/// it executes anything else. Its shared memory is removed when all of its processes have ended.
pub(crate) fn condemn(data: PathBuf) {
    tokio::spawn(async move {
        match kill(&data).await {
            Ok(shared) => shared.remove().await,
            Err(e) => tracing::warn!("the old primary could not be killed: {e}"),
        }
    });
}

/// The server is stopped first, so that it forks nothing while the list is made.
async fn kill(data: &Path) -> Result<SharedMemory, PlaneError> {
    if let Some(server) = Process::server_of(data) {
        server.signal(Signal::STOP);
    }
    let mut shared = SharedMemory::default();
    loop {
        // Repeated until none is left: a child may have been forked while the list was made.
        let found = all_of(data);
        if found.is_empty() {
            return Ok(shared);
        }
        found.iter().for_each(|process| process.signal(Signal::STOP));
        shared.add(mapped(data).await);
        found.iter().for_each(|process| process.signal(Signal::KILL));
        for process in found {
            process.gone().await?;
        }
    }
}

/// The maps of a process that is stuck in the kernel may not be readable; such memory is left.
const MAPS: Duration = Duration::from_millis(200);

async fn mapped(data: &Path) -> SharedMemory {
    let data = data.to_owned();
    let noted = tokio::task::spawn_blocking(move || {
        let mut noted = SharedMemory::default();
        all_of(&data).iter().for_each(|process| noted.note(process));
        noted
    });
    tokio::time::timeout(MAPS, noted).await.ok().and_then(Result::ok).unwrap_or_default()
}

/// Starts a server that outlives the daemon: in a session of its own (`setsid` execs it under the same pid),
/// output to a file. It starts in its data directory, so that a [`fence`] finds it from the first moment. A thread reaps it.
pub(crate) fn start(
    program: &Path,
    data: &Path,
    args: &[String],
    log: &Path,
    namespace: Option<&Path>,
    user: &RunAs,
) -> Result<u32, PlaneError> {
    let what = || format!("start {}", program.display());
    let out = File::create(log).machine(|| format!("create {}", log.display()))?;
    let err = out.try_clone().machine(what)?;
    let mut command = Command::new("setsid");
    command.current_dir(data).arg(program).args(args).stdin(Stdio::null()).stdout(out).stderr(err);
    environment(&mut command, user);
    let mut child = in_namespace(namespace, || command.spawn().machine(what))?;
    let pid = child.id();
    // After the spawn: setting it in the child before its exec would need unsafe code.
    limit_descriptors(pid);
    std::thread::Builder::new().name(format!("reap-{pid}")).spawn(move || child.wait()).machine(what)?;
    Ok(pid)
}

/// File descriptors that a server and each of its backends may open. PostgreSQL uses up to `max_files_per_process` (1,000),
/// plus connections and extensions; the daemon's own limit depends on how it was started.
const OPEN_FILES: u64 = 65_536;

fn limit_descriptors(pid: u32) {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let most = limit.maximum.map_or(OPEN_FILES, |hard| hard.min(OPEN_FILES));
    let wanted = Rlimit { current: Some(most), maximum: Some(most) };
    // If this fails the server runs with the daemon's own limit.
    if let Err(e) =
        rustix::process::prlimit(i32::try_from(pid).ok().and_then(Pid::from_raw), Resource::Nofile, wanted)
    {
        tracing::warn!(pid, "cannot set the server's limit of open files; it runs with the daemon's: {e}");
    }
}

/// Runs one of PostgreSQL's tools and waits for its end. Dropping the future leaves the tool running, so its
/// output must have a name of its own.
pub(crate) async fn run(mut tool: Tool, user: &RunAs) -> Result<Output, PlaneError> {
    let user = user.clone();
    let ran = tokio::task::spawn_blocking(move || {
        environment(&mut tool.command, &user);
        let name = tool.command.get_program().to_string_lossy().into_owned();
        let output = in_namespace(tool.namespace.as_deref(), || {
            tool.command.stdin(Stdio::null()).output().machine(|| format!("run {name}"))
        })?;
        if output.status.success() {
            return Ok(output);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let last: Vec<&str> = said.lines().rev().take(5).collect();
        let errors = last.into_iter().rev().collect::<Vec<_>>().join("; ");
        Err(PlaneError::machine(format!("{name} ended with {}: {errors}", output.status)))
    });
    ran.await.plane(|| "run a program of PostgreSQL".into())?
}

pub(crate) struct Tool {
    command: Command,
    namespace: Option<PathBuf>,
}

impl Tool {
    pub(crate) fn new(program: impl AsRef<Path>) -> Tool {
        Tool { command: Command::new(program.as_ref()), namespace: None }
    }
    pub(crate) fn arg(mut self, arg: impl AsRef<std::ffi::OsStr>) -> Tool {
        self.command.arg(arg);
        self
    }
    pub(crate) fn args(mut self, args: &[&str]) -> Tool {
        self.command.args(args);
        self
    }
    /// Passes a password in the environment: every user can read the command line.
    pub(crate) fn password(mut self, password: &str) -> Tool {
        self.command.env("PGPASSWORD", password);
        self
    }
    pub(crate) fn within(mut self, namespace: Option<&Path>) -> Tool {
        self.namespace = namespace.map(Path::to_owned);
        self
    }
    pub(crate) fn directory(mut self, dir: &Path) -> Tool {
        self.command.current_dir(dir);
        self
    }
}

fn environment(command: &mut Command, user: &RunAs) {
    let kept: Vec<_> = command.get_envs().filter_map(|(k, v)| Some((k.to_owned(), v?.to_owned()))).collect();
    command.env_clear().envs(kept).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C.UTF-8");
    if command.get_current_dir().is_none() {
        command.current_dir("/");
    }
    if nix::unistd::Uid::effective() != user.uid {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
}

/// Runs `work` on a thread that has joined the namespace and ends afterwards: its children start in the namespace.
pub(crate) fn in_namespace<T: Send>(
    namespace: Option<&Path>,
    work: impl FnOnce() -> Result<T, PlaneError> + Send,
) -> Result<T, PlaneError> {
    let Some(path) = namespace else { return work() };
    let file = File::open(path).machine(|| format!("open the network namespace {}", path.display()))?;
    std::thread::scope(|scope| {
        let joined = scope.spawn(|| {
            nix::sched::setns(&file, nix::sched::CloneFlags::CLONE_NEWNET)
                .machine(|| format!("join the network namespace {}", path.display()))?;
            work()
        });
        joined.join().unwrap_or_else(|_| Err(PlaneError::plane("a thread that starts programs panicked")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reaped_process_is_dead_even_if_its_pid_is_reused() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let raw = Pid::from_child(&child);
        let fd = pidfd_open(raw, PidfdFlags::NONBLOCK).unwrap();
        // As if the pid had been given to the test's own process.
        let process = Process { pid: std::process::id(), fd };
        assert!(process.lives());
        process.signal(Signal::KILL);
        child.wait().unwrap();
        assert!(!process.lives());
    }
}
