//! The command line's side: asks a data plane's process what it serves, and ends it.

use crate::{
    frame,
    message::{Greeting, Hello},
};
use std::{
    fs::{self, File},
    io,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{net::UnixStream, time::timeout};

/// The name of the socket in the folder.
pub(crate) const SOCKET: &str = "plane.sock";
/// The prefix of the name of a retired process's socket, with its pid.
pub(crate) const RETIRED: &str = "retired-";

/// A worker that starts again takes some milliseconds until it answers.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// Workers that may die one after the other while a client greets.
const TRIES: usize = 3;

/// The connection to a process, if one listens.
pub(crate) type Greeted = Option<(UnixStream, Hello)>;

/// The address of the socket through the open folder: the address of a Unix socket has at most 108 bytes, and a path can be
/// longer.
pub(crate) fn address(folder: &File, socket: &str) -> String {
    format!("/proc/self/fd/{}/{socket}", folder.as_raw_fd())
}

/// Connects and greets; `None` if no process listens.
pub(crate) async fn greet(folder: &File, greeting: Greeting) -> io::Result<Greeted> {
    let address = address(folder, SOCKET);
    for _ in 1..TRIES {
        match greet_at(&address, greeting).await {
            Err(error) if is_cut(&error) => {}
            greeted => return greeted,
        }
    }
    greet_at(&address, greeting).await
}

/// Whether the worker died after it had accepted the connection; the next one accepts another.
fn is_cut(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

async fn greet_at(address: &str, greeting: Greeting) -> io::Result<Greeted> {
    let mut stream = match UnixStream::connect(address).await {
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

/// Ends the process whose socket is in this folder, and those that it replaced and that still complete requests. Returns them;
/// they may need a moment to end.
pub async fn end(folder: &Path) -> io::Result<Vec<Hello>> {
    let Some(open) = open(folder)? else { return Ok(Vec::new()) };
    let mut ended = Vec::new();
    for (path, old) in retired(&open, folder, Greeting::End).await? {
        ended.extend(old);
        fs::remove_file(path)?;
    }
    ended.extend(greet(&open, Greeting::End).await?);
    Ok(ended.into_iter().map(|(_, hello)| hello).collect())
}

/// Greets each process that was replaced; `None` for one that has ended.
pub(crate) async fn retired(
    open: &File,
    folder: &Path,
    greeting: Greeting,
) -> io::Result<Vec<(PathBuf, Greeted)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if let Some(name) = entry.file_name().to_str().filter(|name| name.starts_with(RETIRED)) {
            all.push((entry.path(), greet_at(&address(open, name), greeting).await?));
        }
    }
    Ok(all)
}

fn open(folder: &Path) -> io::Result<Option<File>> {
    match File::open(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}
