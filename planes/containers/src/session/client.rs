//! The client's side: begins a session at a container's shim.

use super::{
    SOCKET, SessionEvent, SessionSpec, TerminalSize,
    frame::{self, Kind, Reader},
};
use crate::{limits, store::ContainerDir};
use escale_base::{PlaneError, error::Context};
use rustix::fs::{Mode, OFlags};
use std::{io, os::fd::AsRawFd, path::Path};
use tokio::net::{
    UnixStream,
    unix::{OwnedReadHalf, OwnedWriteHalf},
};

/// A running session. When both halves are dropped, the command gets SIGHUP.
pub struct Session {
    pub output: SessionOutput,
    pub input: SessionInput,
}

pub struct SessionOutput(Reader<OwnedReadHalf>);

/// Dropping it disconnects from the session.
pub struct SessionInput(OwnedWriteHalf);

/// Begins a session in a running container of the plane with this state directory. Needs no open plane. Only root and the owner
/// of the directory may begin one.
pub async fn attach(
    state_dir: &Path,
    group: &str,
    container: &str,
    spec: &SessionSpec,
) -> Result<Session, PlaneError> {
    let known = crate::spec::is_name(group, 64) && crate::spec::is_name(container, 255);
    let dir = ContainerDir(state_dir.join("groups").join(group).join("c").join(container));
    if !known || !dir.0.is_dir() {
        return Err(PlaneError::asked(format!(
            "container '{container}' of group '{group}' does not exist in {}",
            state_dir.display()
        )));
    }
    let what = || format!("begin a session in container '{container}' of group '{group}'");
    match connect(&dir) {
        Ok(stream) => begin(stream, spec).await.map_err(|e| match e {
            Refusal::Command(text) => PlaneError::asked(text),
            Refusal::Connection(e) => PlaneError::machine(format!("cannot {}", what())).because(e),
        }),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            Err(PlaneError::asked(format!(
                "container '{container}' of group '{group}' accepts no sessions: it does not run, or an earlier version of \
                 this program started it"
            )))
        }
        Err(e) => Err(e).machine(what),
    }
}

fn connect(dir: &ContainerDir) -> io::Result<UnixStream> {
    // Through the open directory: the address of a Unix socket has at most 108 bytes, and a path can be longer.
    let open = rustix::fs::open(&dir.0, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let stream =
        std::os::unix::net::UnixStream::connect(format!("/proc/self/fd/{}/{SOCKET}", open.as_raw_fd()))?;
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}

pub(crate) enum Refusal {
    /// The other side's reason.
    Command(String),
    Connection(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Refusal {
        Refusal::Connection(error)
    }
}

pub(crate) async fn begin(stream: UnixStream, spec: &SessionSpec) -> Result<Session, Refusal> {
    let (read, mut write) = stream.into_split();
    // A shim that refuses the client does not read: then this fails, and the reason is the answer below.
    let sent = frame::send_json(&mut write, Kind::Begin, spec).await;
    let mut reader = Reader::new(read);
    match reader.next().await? {
        Some((Kind::Started, _)) => Ok(Session { output: SessionOutput(reader), input: SessionInput(write) }),
        Some((Kind::Failed, text)) => Err(Refusal::Command(String::from_utf8_lossy(&text).into_owned())),
        Some((kind, _)) => Err(Refusal::Connection(io::Error::other(format!("unexpected message {kind:?}")))),
        None => Err(Refusal::Connection(sent.err().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into()))),
    }
}

impl SessionOutput {
    /// The next event. May be cancelled: nothing is lost.
    pub async fn next(&mut self) -> Result<SessionEvent, PlaneError> {
        let what = || "continue the session: its connection was closed before the command ended".to_owned();
        match self.0.next().await.machine(what)? {
            Some((Kind::Output, bytes)) => Ok(SessionEvent::Output(bytes)),
            Some((Kind::Error, bytes)) => Ok(SessionEvent::Error(bytes)),
            Some((Kind::Ended, code)) => Ok(SessionEvent::Ended(frame::json(&code).machine(what)?)),
            Some((kind, _)) => {
                Err(PlaneError::plane(format!("a session sent an unexpected message {kind:?}")))
            }
            None => Err(io::Error::from(io::ErrorKind::UnexpectedEof)).machine(what),
        }
    }
}

impl SessionInput {
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), PlaneError> {
        for part in bytes.chunks(limits::SESSION_MESSAGE_BYTES) {
            frame::send(&mut self.0, Kind::Input, part)
                .await
                .machine(|| "send input to the session".into())?;
        }
        Ok(())
    }

    /// Ends the command's standard input. A terminal has no such end: there, a program reads it from the character Ctrl-D.
    pub async fn end(&mut self) -> Result<(), PlaneError> {
        frame::send(&mut self.0, Kind::InputEnd, &[]).await.machine(|| "end the session's input".into())
    }

    pub async fn resize(&mut self, size: TerminalSize) -> Result<(), PlaneError> {
        let sent = frame::send_json(&mut self.0, Kind::Resize, &size).await;
        sent.machine(|| "send the terminal's size to the session".into())
    }
}
