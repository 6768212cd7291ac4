//! The process of one session: starts the command, passes bytes between it and the client, reports its end.

use super::{
    SessionSpec, TerminalSize,
    frame::{self, Kind, Reader},
};
use crate::{
    exec::{self, Files, watched},
    limits, runtime, shim,
    store::{self, ContainerDir, ShimOrder},
};
use nix::{
    sys::{
        signal::{SigSet, Signal, kill},
        wait::{WaitStatus, waitpid},
    },
    unistd::{Pid, getpgid, getppid},
};
use rustix::{
    fs::OFlags,
    io::Errno,
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags},
    process::{PidfdFlags, pidfd_open},
    termios::{Winsize, tcsetwinsize},
};
use std::{
    fs,
    io::{self, IoSliceMut},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::{UnixListener, UnixStream},
    },
    path::Path,
    process::Stdio,
    rc::Rc,
    time::Duration,
};
use tokio::{
    io::{AsyncWriteExt, Interest, unix::AsyncFd},
    net::unix::{OwnedReadHalf, OwnedWriteHalf},
};

/// Serves the client whose connection is standard input.
pub(crate) fn serve(dir: &ContainerDir) -> Result<(), String> {
    let failed = |e: io::Error| format!("a session failed: {e}");
    // The shim blocks SIGCHLD, and its children inherit that.
    SigSet::empty().thread_set_mask().map_err(|e| failed(e.into()))?;
    // The runtime exits after it has started the command; this process then is the parent and gets the exit status.
    nix::sys::prctl::set_child_subreaper(true).map_err(|e| failed(e.into()))?;
    let connection = io::stdin().as_fd().try_clone_to_owned().map_err(failed)?;
    let reactor = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    reactor.block_on(converse(dir, connection.into())).map_err(failed)
}

async fn converse(dir: &ContainerDir, connection: UnixStream) -> io::Result<()> {
    connection.set_nonblocking(true)?;
    let shim = end_of(getppid())?;
    // Wakes when the client has closed the connection, even if the command does not read and messages wait. Sockets of this kind
    // have no urgent data, so that is the only event.
    let closed = watched(connection.try_clone()?.into(), Interest::PRIORITY)?;
    let (read, write) = tokio::net::UnixStream::from_std(connection)?.into_split();
    let (mut messages, mut client) = (Reader::new(read), Client { write, pending: Vec::new() });
    let first = tokio::time::timeout(Duration::from_millis(limits::SESSION_BEGIN_MS), messages.next()).await;
    let spec: SessionSpec = match first {
        Ok(Ok(Some((Kind::Begin, spec)))) => frame::json(&spec)?,
        other => return Err(io::Error::other(format!("the client sent no command: {other:?}"))),
    };
    let command = match Command::start(dir, &spec) {
        Ok(command) => command,
        Err(reason) => return client.send(Kind::Failed, reason.as_bytes()).await,
    };
    client.send(Kind::Started, &[]).await?;
    let Command { pid, input, mut outputs } = command;
    let pidfd = end_of(pid)?;
    let ended = tokio::select! {
        _ = pidfd.readable() => true,
        _ = closed.ready(Interest::PRIORITY) => false,
        () = pass_input(&mut messages, input) => false,
        _ = pass_output(&mut outputs, &mut client) => false,
    };
    if !ended {
        hang_up(pid);
        // Dropping the terminal's side, too, hangs up every process on it.
        return Ok(());
    }
    let code = match waitpid(pid, None)? {
        WaitStatus::Exited(_, code) => code,
        // As shells count: 128 plus the number of the signal.
        WaitStatus::Signaled(_, signal, _) => 128 + signal as i32,
        other => return Err(io::Error::other(format!("the exit status of the command is {other:?}"))),
    };
    // The client may read slowly, for example through a pager, as long as the container runs.
    tokio::select! {
        sent = async {
            drain(&mut outputs, &mut client).await?;
            client.send(Kind::Ended, &serde_json::to_vec(&code)?).await
        } => sent,
        () = too_late(&shim) => Err(io::Error::other("the client does not read the end of the session")),
    }
}

/// Waits for the end of the container's shim, and then for a client that is still reading.
async fn too_late(shim: &AsyncFd<OwnedFd>) {
    // If it cannot be watched, the time begins at once.
    let _ = shim.readable().await;
    tokio::time::sleep(Duration::from_millis(limits::SESSION_FLUSH_MS)).await;
}

/// Becomes readable at the end of a process.
fn end_of(pid: Pid) -> io::Result<AsyncFd<OwnedFd>> {
    let pid = rustix::process::Pid::from_raw(pid.as_raw()).ok_or(Errno::SRCH)?;
    watched(pidfd_open(pid, PidfdFlags::empty())?, Interest::READABLE)
}

/// The connection to the client, for writing.
struct Client {
    write: OwnedWriteHalf,
    /// The part of a message that is not written yet.
    pending: Vec<u8>,
}

impl Client {
    async fn send(&mut self, kind: Kind, payload: &[u8]) -> io::Result<()> {
        self.flush().await?;
        self.pending = frame::encode(kind, payload)?;
        self.flush().await
    }

    /// Writes what is pending. May be cancelled: what was written is no longer pending.
    async fn flush(&mut self) -> io::Result<()> {
        while !self.pending.is_empty() {
            let written = self.write.write(&self.pending).await?;
            self.pending.drain(..written);
        }
        Ok(())
    }
}

type Fd = Rc<AsyncFd<OwnedFd>>;

/// Standard output, standard error, or the terminal; `None` once it has ended.
struct Output {
    kind: Kind,
    from: Option<Fd>,
}

/// A running command. Its parent is this process.
struct Command {
    pid: Pid,
    input: Input,
    outputs: Vec<Output>,
}

enum Input {
    Pipe(Fd),
    Terminal(Fd),
}

/// The files of this process that become those of the command.
enum Ends {
    Pipes {
        ours: [OwnedFd; 3],
        theirs: [OwnedFd; 3],
    },
    /// The runtime opens the terminal inside the container, and sends it to this socket.
    Terminal(UnixListener),
}

impl Command {
    /// Starts it; an error is a text for the client.
    fn start(dir: &ContainerDir, spec: &SessionSpec) -> Result<Command, String> {
        let name = spec.argv.first().ok_or("no command was given")?;
        let refused = |why: &dyn std::fmt::Display| format!("'{name}' cannot be run: {why}");
        if dir.path("exit.json").exists() {
            return Err(refused(&"the container has ended"));
        }
        let order: ShimOrder =
            store::read_json(&dir.path("shim.json")).ok_or("its shim.json cannot be read")?;
        let files = Files::new(dir);
        let process = describe(dir, spec).map_err(|e| refused(&e))?;
        store::write_json(&files.process, &process, false).map_err(|e| refused(&e))?;
        // Relative to the container's directory, which is the current one: the address of a Unix socket has at most 108 bytes.
        let socket = Path::new("x").join(format!("{}.tty", escale_base::ids::random_hex(16)));
        let ends = Ends::open(spec, &socket).map_err(|e| refused(&e))?;
        let started = run(&order, &files, &ends, &socket);
        // It may not exist: only terminals have one.
        let _ = fs::remove_file(&socket);
        started.map_err(|why| refused(&why))?;
        let pid = exec::read_pid(&files.pid).ok_or_else(|| refused(&"the runtime wrote no pid"))?;
        let (input, outputs) = ends.opened().map_err(|e| refused(&e))?;
        files.done();
        Ok(Command { pid, input, outputs })
    }
}

/// The runtime's description of the command.
fn describe(dir: &ContainerDir, spec: &SessionSpec) -> Result<serde_json::Value, escale_base::PlaneError> {
    let mut process = exec::process(dir, &spec.argv)?;
    if let Some(terminal) = &spec.terminal {
        process["terminal"] = true.into();
        process["consoleSize"] =
            serde_json::json!({"height": terminal.size.rows, "width": terminal.size.columns});
        if let (Some(kind), Some(env)) = (&terminal.kind, process["env"].as_array_mut()) {
            env.retain(|pair| !pair.as_str().is_some_and(|pair| pair.starts_with("TERM=")));
            env.push(format!("TERM={kind}").into());
        }
    }
    Ok(process)
}

/// Runs the container runtime, which exits once the command runs.
fn run(order: &ShimOrder, files: &Files, ends: &Ends, socket: &Path) -> Result<(), String> {
    let before = shim::as_containers_expect();
    let mut command = order.runtime.command(&order.root, &files.log);
    command.args(["exec", "--detach", "--process"]).arg(&files.process).arg("--pid-file").arg(&files.pid);
    match ends {
        Ends::Pipes { theirs, .. } => {
            let mut theirs = theirs.iter().map(|fd| fd.try_clone().map(Stdio::from));
            let mut next = || theirs.next().transpose().map_err(|e| e.to_string());
            let pipes = (next()?, next()?, next()?);
            command.stdin(pipes.0.unwrap_or_else(Stdio::null));
            command.stdout(pipes.1.unwrap_or_else(Stdio::null));
            command.stderr(pipes.2.unwrap_or_else(Stdio::null));
        }
        Ends::Terminal(_) => {
            command.arg("--console-socket").arg(socket);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        }
    }
    let status = command.arg(&order.id).status();
    nix::sys::stat::umask(before);
    let status = status.map_err(|e| format!("cannot run {}: {e}", order.runtime.program.display()))?;
    let log = fs::read_to_string(&files.log).unwrap_or_default();
    match runtime::error_text(&log) {
        Some(text) => Err(text),
        None if status.success() => Ok(()),
        None => Err(format!("the runtime ended with {status} without an error message")),
    }
}

impl Ends {
    fn open(spec: &SessionSpec, socket: &Path) -> io::Result<Ends> {
        if spec.terminal.is_some() {
            let listener = UnixListener::bind(socket)?;
            // The runtime has sent the terminal when it exits: without one, waiting would never end.
            listener.set_nonblocking(true)?;
            return Ok(Ends::Terminal(listener));
        }
        let ((stdin, our_stdin), (our_stdout, stdout), (our_stderr, stderr)) =
            (io::pipe()?, io::pipe()?, io::pipe()?);
        Ok(Ends::Pipes {
            ours: [our_stdin.into(), our_stdout.into(), our_stderr.into()],
            theirs: [stdin.into(), stdout.into(), stderr.into()],
        })
    }

    /// The ends that stay with this process. The others are closed here, so that the pipes end with the command.
    fn opened(self) -> io::Result<(Input, Vec<Output>)> {
        match self {
            Ends::Pipes { ours: [stdin, stdout, stderr], theirs } => {
                drop(theirs);
                let output = |kind, fd| Ok::<_, io::Error>(Output { kind, from: Some(register(fd)?) });
                let outputs = vec![output(Kind::Output, stdout)?, output(Kind::Error, stderr)?];
                Ok((Input::Pipe(register(stdin)?), outputs))
            }
            Ends::Terminal(listener) => {
                let terminal = register(received(&listener.accept()?.0)?)?;
                let output = Output { kind: Kind::Output, from: Some(Rc::clone(&terminal)) };
                Ok((Input::Terminal(terminal), vec![output]))
            }
        }
    }
}

fn register(fd: OwnedFd) -> io::Result<Fd> {
    rustix::fs::fcntl_setfl(&fd, rustix::fs::fcntl_getfl(&fd)? | OFlags::NONBLOCK)?;
    Ok(Rc::new(watched(fd, Interest::READABLE | Interest::WRITABLE)?))
}

/// The descriptor that the runtime sent.
fn received(connection: &UnixStream) -> io::Result<OwnedFd> {
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut name = [0u8; 256];
    rustix::net::recvmsg(
        connection,
        &mut [IoSliceMut::new(&mut name)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let sent = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    sent.ok_or_else(|| io::Error::other("the runtime sent no terminal"))
}

fn resize(terminal: impl AsFd, size: TerminalSize) -> io::Result<()> {
    let size = Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    Ok(tcsetwinsize(terminal, size)?)
}

/// Passes the client's messages on; returns when the client has disconnected.
async fn pass_input(messages: &mut Reader<OwnedReadHalf>, input: Input) {
    let (mut to, is_terminal) = match input {
        Input::Pipe(fd) => (Some(fd), false),
        Input::Terminal(fd) => (Some(fd), true),
    };
    while let Ok(Some((kind, payload))) = messages.next().await {
        let Some(fd) = &to else { continue };
        let is_open = match kind {
            // The command may have closed its standard input; it continues without it.
            Kind::Input => write_all(fd, &payload).await.is_ok(),
            Kind::InputEnd => is_terminal,
            Kind::Resize if is_terminal => {
                // The command may have just ended.
                let _ = frame::json(&payload).and_then(|size| resize(fd.get_ref(), size));
                true
            }
            _ => true,
        };
        if !is_open {
            to = None;
        }
    }
}

async fn write_all(to: &AsyncFd<OwnedFd>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let write = |fd: &OwnedFd| Ok(rustix::io::write(fd, bytes)?);
        let written = to.async_io(Interest::WRITABLE, write).await?;
        bytes = &bytes[written..];
    }
    Ok(())
}

/// Passes the command's output to the client; returns only if the client has disconnected.
async fn pass_output(outputs: &mut [Output], client: &mut Client) -> io::Result<()> {
    loop {
        client.flush().await?;
        let waits = outputs.iter().enumerate().filter_map(|(at, o)| Some((at, o.from.clone()?)));
        let waits = waits.map(|(at, fd)| Box::pin(async move { fd.readable().await.map(|_| at) }));
        let waits: Vec<_> = waits.collect();
        if waits.is_empty() {
            return std::future::pending().await;
        }
        let (at, _, _) = futures_util::future::select_all(waits).await;
        read(&mut outputs[at?], client)?;
    }
}

/// Passes on what the outputs hold now. Other processes may keep them open, and their output is not waited for.
async fn drain(outputs: &mut [Output], client: &mut Client) -> io::Result<()> {
    for output in outputs {
        loop {
            client.flush().await?;
            if !read(output, client)? {
                break;
            }
        }
    }
    Ok(())
}

/// Reads once, without waiting. False if there was nothing.
fn read(output: &mut Output, client: &mut Client) -> io::Result<bool> {
    let Some(from) = &output.from else { return Ok(false) };
    let mut buffer = [0u8; 32 * 1024];
    let got = loop {
        match rustix::io::read(from.get_ref(), &mut buffer) {
            Err(Errno::INTR) => {}
            other => break other,
        }
    };
    match got {
        Err(Errno::AGAIN) => {
            clear_readiness(from);
            Ok(false)
        }
        // EIO is how a terminal reports that no process has it open.
        Ok(0) | Err(Errno::IO) => {
            output.from = None;
            Ok(false)
        }
        Ok(length) => {
            client.pending = frame::encode(output.kind, &buffer[..length])?;
            Ok(true)
        }
        Err(e) => Err(e.into()),
    }
}

/// Makes the next `readable` wait for new bytes.
fn clear_readiness(fd: &AsyncFd<OwnedFd>) {
    // `try_io` clears it because of the error.
    let _ = fd.try_io(Interest::READABLE, |_| Err::<(), _>(io::ErrorKind::WouldBlock.into()));
}

/// Sends SIGHUP to the command's process group, as a terminal that is closed does.
fn hang_up(pid: Pid) {
    // This process is the parent and has not waited for it, so no other process can have the pid. It may have ended.
    let group = getpgid(Some(pid)).ok().filter(|group| *group == pid);
    let _ = kill(group.map_or(pid, |group| Pid::from_raw(-group.as_raw())), Signal::SIGHUP);
}
