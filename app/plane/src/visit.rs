//! The command line's side: asks a data plane's process what it serves, and ends it.

use crate::{
    frame,
    message::{Greeting, Hello},
};
use std::{
    fs::File,
    io,
    os::fd::AsRawFd,
    path::Path,
    time::Duration,
};
use tokio::{net::UnixStream, time::timeout};

/// The name of the socket in the folder.
pub(crate) const SOCKET: &str = "plane.sock";

/// A worker that starts again takes some milliseconds until it answers.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// The address of the socket through the open folder: the address of a Unix socket has at most 108 bytes, and a path can be
/// longer.
pub(crate) fn address(folder: &File) -> String {
    format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd())
}

/// Connects and greets; `None` if no process listens.
pub(crate) async fn greet(folder: &File, greeting: Greeting) -> io::Result<Option<(UnixStream, Hello)>> {
    let mut stream = match UnixStream::connect(address(folder)).await {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        connected => connected?,
    };
    let greeted = async {
        frame::write(&mut stream, &greeting).await?;
        frame::read::<Hello>(&mut stream).await
    };
    let silent = || io::Error::new(io::ErrorKind::TimedOut, "the data plane's process does not answer");
    let hello = timeout(ANSWERS_WITHIN, greeted).await.map_err(|_| silent())??;
    // Closed without an answer: the worker died at this moment.
    let hello = hello.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
    Ok(Some((stream, hello)))
}

/// What the process whose socket is in this folder serves; `None` if none runs.
pub async fn visit(folder: &Path) -> io::Result<Option<Hello>> {
    let Some(folder) = open(folder)? else { return Ok(None) };
    Ok(greet(&folder, Greeting::Visitor).await?.map(|(_, hello)| hello))
}

/// Ends the process whose socket is in this folder; `None` if none runs. Its worker has ended when this returns.
pub async fn end(folder: &Path) -> io::Result<Option<Hello>> {
    let Some(folder) = open(folder)? else { return Ok(None) };
    let Some((mut stream, hello)) = greet(&folder, Greeting::End).await? else { return Ok(None) };
    // The kernel closes the connection when the process ends.
    match timeout(ANSWERS_WITHIN, frame::read::<serde_json::Value>(&mut stream)).await {
        Ok(_) => Ok(Some(hello)),
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("the process {} has not ended. Kill it with `kill -9 {} {0}`", hello.pid, hello.supervisor),
        )),
    }
}

fn open(folder: &Path) -> io::Result<Option<File>> {
    match File::open(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}
