//! The small process that stays with one container: creates its root, calls the runtime, stores its output and its exit.
//!
//! It has its own session and mount namespace, so that neither the daemon's end nor its own leaves a mount
//! behind: the container's root is mounted nowhere else. It never waits on the network and starts no thread.

use crate::{
    cgroup::Cgroups,
    runtime,
    seen::{Exit, ExitReason, Running, Stream},
    session::{self, Sessions},
    shimlog::LogWriter,
    store::{self, ContainerDir, ShimOrder},
    unpack, volumes,
};
use escale_base::Clock;
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sched::{CloneFlags, unshare},
    sys::{
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
    },
};
use rustix::{
    fs::OFlags,
    process::{Pid, PidfdFlags, WaitOptions, WaitStatus, pidfd_open, wait, waitpid},
};
use std::{
    ffi::OsString,
    fs,
    io::{self, PipeReader, Read, Write},
    os::{fd::AsFd, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// The entry point for a binary with the arguments `run <dir>`, `session <dir>`, or `exec <dir> <process.json> <pid file> <log>`.
///
/// Must be called first of all, before any thread is started.
pub fn shim_main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let words: Vec<&Path> = args.iter().map(Path::new).collect();
    let done = match words.as_slice() {
        [verb, dir] if verb.as_os_str() == "run" => run(ContainerDir(dir.to_path_buf())),
        [verb, dir] if verb.as_os_str() == "session" => session::serve(&ContainerDir(dir.to_path_buf())),
        [verb, dir, process, pid, log] if verb.as_os_str() == "exec" => exec(dir, process, pid, log),
        _ => Err("usage: run <dir> | session <dir> | exec <dir> <process.json> <pid file> <log>".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("container shim: {text}");
            ExitCode::FAILURE
        }
    }
}

fn run(dir: ContainerDir) -> Result<(), String> {
    close_inherited();
    nix::unistd::setsid().map_err(|e| format!("cannot become a session leader: {e}"))?;
    let lock = dir.lock().map_err(|e| format!("cannot lock {}: {e}", dir.0.display()))?;
    if dir.path("begun").exists() || dir.path("exit.json").exists() {
        return Err("another shim already runs this container".into());
    }
    let exit = match start(&dir) {
        Ok(mut kept) => kept.stay(&dir),
        Err(reason) => Exit {
            at: Clock::machine().now(),
            code: None,
            signal: None,
            oom: false,
            reason: ExitReason::NotStarted(reason),
        },
    };
    dir.write_exit(&exit).map_err(|e| format!("cannot write the exit record of {}: {e}", dir.0.display()))?;
    drop(lock);
    Ok(())
}

/// Closes the descriptors that the daemon had open and did not mark close-on-exec.
fn close_inherited() {
    let open: Vec<i32> = fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse().ok())
        .collect();
    for fd in open.into_iter().filter(|fd| *fd > 2) {
        // The listing's own descriptor is closed already; that error is expected.
        let _ = nix::unistd::close(fd);
    }
}

/// A started container.
struct Kept {
    order: ShimOrder,
    pid: Pid,
    stdout: Option<PipeReader>,
    stderr: Option<PipeReader>,
    log: LogWriter,
    sessions: Sessions,
    /// The exit status of the container's first process, once it has ended.
    status: Option<WaitStatus>,
}

fn start(dir: &ContainerDir) -> Result<Kept, String> {
    let order: ShimOrder = store::read_json(&dir.path("shim.json")).ok_or("its shim.json cannot be read")?;
    std::env::set_current_dir(&dir.0).map_err(|e| format!("cannot enter {}: {e}", dir.0.display()))?;
    // The runtime exits after it has started the container; the shim then is the parent and gets the exit status.
    nix::sys::prctl::set_child_subreaper(true).map_err(|e| format!("cannot become a subreaper: {e}"))?;
    own_mounts(&order)?;
    mount_root(order.layers)?;
    let root = unpack::open_root(Path::new("rootfs")).map_err(|e| format!("cannot open the root: {e}"))?;
    unpack::make_dirs(&root, &order.workdir)
        .map_err(|e| format!("cannot make the working directory '{}': {e}", order.workdir.display()))?;
    for (number, seed) in order.seeds.iter().enumerate() {
        volumes::fill(&root, number, seed).map_err(|e| {
            format!("cannot copy the image's files of the volume '{}': {e}", seed.path.display())
        })?;
    }
    drop(root);
    let log = LogWriter::open(&dir.path("logs")).map_err(|e| format!("cannot open the log: {e}"))?;
    let (stdout, out) = io::pipe().map_err(|e| format!("cannot make a pipe: {e}"))?;
    let (stderr, err) = io::pipe().map_err(|e| format!("cannot make a pipe: {e}"))?;
    // From here on the container may have run, so it is never started again, even if this shim dies.
    fs::write(dir.path("begun"), store::boot_id())
        .map_err(|e| format!("cannot write the file 'begun': {e}"))?;

    let own = as_containers_expect();
    let mut command = order.runtime.command(&order.root, Path::new("runtime.log"));
    command.args(["run", "--detach", "--pid-file", "pid", "--bundle"]).arg(&dir.0).arg(&order.id);
    let status = command.stdin(std::process::Stdio::null()).stdout(out).stderr(err).status();
    // The command owns the write ends; once it is dropped, the pipes end with the container.
    drop(command);
    nix::sys::stat::umask(own);
    let status = status.map_err(|e| format!("cannot run {}: {e}", order.runtime.program.display()))?;
    if !status.success() {
        let text = runtime::error_text(&fs::read_to_string("runtime.log").unwrap_or_default());
        delete(&order);
        return Err(
            text.unwrap_or_else(|| format!("the runtime ended with {status} without an error message"))
        );
    }
    let pid = fs::read_to_string("pid").ok().and_then(|t| t.trim().parse::<i32>().ok());
    let pid = pid.and_then(Pid::from_raw).ok_or("the runtime wrote no pid")?;
    let running = Running {
        pid: pid.as_raw_nonzero().get(),
        started_at: Clock::machine().now(),
        start_ticks: start_ticks(pid.as_raw_nonzero().get()).unwrap_or(0),
    };
    // Before the container is observed to run: from then on a client may begin a session.
    let sessions = Sessions::open();
    store::write_json(&dir.path("running.json"), &running, false)
        .map_err(|e| format!("cannot write running.json: {e}"))?;
    Ok(Kept { order, pid, stdout: Some(stdout), stderr: Some(stderr), log, sessions, status: None })
}

/// Sets the umask of container runtimes, which a container's processes inherit: the daemon's own is stricter. Returns the
/// previous one.
pub(crate) fn as_containers_expect() -> nix::sys::stat::Mode {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022))
}

/// Creates a mount namespace of its own; slave, so that a mount which the host unmounts is not held here.
fn own_mounts(order: &ShimOrder) -> Result<(), String> {
    unshare(CloneFlags::CLONE_NEWNS).map_err(|e| format!("cannot make a mount namespace: {e}"))?;
    let flags = MsFlags::MS_REC | MsFlags::MS_SLAVE;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)
        .map_err(|e| format!("cannot detach the mounts from those of the host: {e}"))?;
    if order.runtime.hides_unified() {
        umount2("/sys/fs/cgroup/unified", MntFlags::MNT_DETACH)
            .map_err(|e| format!("cannot hide the unified cgroup hierarchy: {e}"))?;
    }
    Ok(())
}

fn mount_root(layers: usize) -> Result<(), String> {
    // Short relative names: the kernel limits mount options to one page.
    let lower: Vec<String> = (0..layers).map(|n| format!("l/{n}")).collect();
    let options = format!("lowerdir={},upperdir=upper,workdir=work", lower.join(":"));
    // Volatile: this upper directory is never mounted again, so it need not be synced when the container ends.
    let volatile = format!("{options},volatile");
    let try_mount = |o: &str| mount(Some("overlay"), "rootfs", Some("overlay"), MsFlags::empty(), Some(o));
    try_mount(&volatile).or_else(|_| try_mount(&options)).map_err(|e| {
        format!("cannot mount the root of {layers} layers: {e} (the data directory must not be on overlayfs)")
    })
}

impl Kept {
    /// Waits until the first process has ended and all its output is in the log.
    fn stay(&mut self, dir: &ContainerDir) -> Exit {
        let ended = self.copy_until_end();
        let at = Clock::machine().now();
        // Only now, since a line without a line end may have been continued until the end.
        self.log.finish();
        let oom = Cgroups::detect().oom_kills(&self.order.cgroup) > 0;
        delete(&self.order);
        let status = ended.and_then(|()| match self.status {
            Some(status) => Ok(Some(status)),
            None => Ok(waitpid(Some(self.pid), WaitOptions::empty())?.map(|(_, status)| status)),
        });
        match status {
            Ok(Some(status)) => Exit {
                at,
                code: status.exit_status(),
                signal: status.terminating_signal(),
                oom,
                reason: ExitReason::Ended,
            },
            other => {
                let text = format!(
                    "the exit status of its process could not be read in {}: {other:?}",
                    dir.0.display()
                );
                Exit { at, code: None, signal: None, oom, reason: ExitReason::Lost(text) }
            }
        }
    }

    fn copy_until_end(&mut self) -> io::Result<()> {
        let pidfd = pidfd_open(self.pid, PidfdFlags::empty())?;
        let children = Children::watch()?;
        // Children that ended before the watch began.
        self.reap()?;
        for pipe in [&self.stdout, &self.stderr].into_iter().flatten() {
            rustix::fs::fcntl_setfl(pipe, OFlags::NONBLOCK)?;
        }
        loop {
            let mut watched = vec![PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
            watched.push(PollFd::new(children.0.as_fd(), PollFlags::POLLIN));
            let listens = self.sessions.waiting().map(|socket| PollFd::new(socket, PollFlags::POLLIN));
            let client_at = listens.is_some().then_some(watched.len());
            watched.extend(listens);
            for pipe in [&self.stdout, &self.stderr].into_iter().flatten() {
                watched.push(PollFd::new(pipe.as_fd(), PollFlags::POLLIN));
            }
            match poll(&mut watched, PollTimeout::NONE) {
                Err(nix::errno::Errno::EINTR) => continue,
                other => other?,
            };
            let ready = |at: usize| watched[at].any() == Some(true);
            let (ended, child, client) = (ready(0), ready(1), client_at.is_some_and(ready));
            drop(watched);
            if child {
                // Before the reaping: a child that ends in between sends a new signal.
                children.clear()?;
                self.reap()?;
            }
            if client {
                self.sessions.accept();
            }
            // Reads what the pipes hold now; after the end of the process no more will come.
            copy(&mut self.stdout, Stream::Stdout, &mut self.log, ended);
            copy(&mut self.stderr, Stream::Stderr, &mut self.log, ended);
            if ended {
                return Ok(());
            }
        }
    }
}

impl Kept {
    /// Reaps every child that ended. As a subreaper the shim inherits the runtime's orphans, and each
    /// would stay a zombie for as long as the container runs.
    fn reap(&mut self) -> io::Result<()> {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.pid => self.status = Some(status),
                Ok(Some((pid, _))) => self.sessions.ended(pid.as_raw_nonzero().get()),
                Ok(None) | Err(rustix::io::Errno::CHILD) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }
}

/// SIGCHLD as a pollable descriptor. Processes that the shim starts while it exists inherit a blocked SIGCHLD.
struct Children(SignalFd);

impl Children {
    fn watch() -> io::Result<Children> {
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGCHLD);
        signals.thread_block()?;
        Ok(Children(SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?))
    }

    fn clear(&self) -> io::Result<()> {
        while self.0.read_signal()?.is_some() {}
        Ok(())
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGCHLD);
        if let Err(e) = signals.thread_unblock() {
            eprintln!("container shim: cannot unblock SIGCHLD: {e}");
        }
    }
}

/// Copies the available output; closes a pipe that has ended. `all`: until it is empty, otherwise one buffer per call.
fn copy(pipe: &mut Option<PipeReader>, stream: Stream, log: &mut LogWriter, all: bool) {
    let mut buffer = [0u8; 32 * 1024];
    while let Some(open) = pipe {
        match open.read(&mut buffer) {
            Ok(0) => *pipe = None,
            Ok(n) => {
                log.take(stream, &buffer[..n]);
                if !all {
                    return;
                }
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

fn delete(order: &ShimOrder) {
    let mut command = order.runtime.command(&order.root, Path::new("runtime-delete.log"));
    let quiet = std::process::Stdio::null;
    let done = command.args(["delete", "--force"]).arg(&order.id).stdout(quiet()).stderr(quiet()).status();
    if let Err(e) = done {
        // On a full disk this message is lost; the container's exit must be written nevertheless.
        let _ = writeln!(io::stderr(), "container shim: cannot delete {}: {e}", order.id);
    }
}

/// Becomes the runtime's `exec`, in a mount namespace that suits it.
fn exec(dir: &Path, process: &Path, pid: &Path, log: &Path) -> Result<(), String> {
    let order: ShimOrder = store::read_json(&dir.join("shim.json")).ok_or("its shim.json cannot be read")?;
    own_mounts(&order)?;
    as_containers_expect();
    let mut command = order.runtime.command(&order.root, log);
    command.arg("exec").arg("--process").arg(process).arg("--pid-file").arg(pid).arg(&order.id);
    Err(format!("cannot run {}: {}", order.runtime.program.display(), command.exec()))
}

/// Field 22 of `/proc/PID/stat`: when the process started, in ticks since the machine did.
pub(crate) fn start_ticks(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(PathBuf::from(format!("/proc/{pid}/stat"))).ok()?;
    // The name in brackets may contain blanks and brackets itself.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}
