//! What a supervisor gets from the daemon at its start, and each worker from its supervisor: over a stream that is the standard
//! input.

use crate::snapshot::Snapshot;
use escale_sockets::{Store, passing};
use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::{UnixListener, UnixStream},
    },
    process::{Command, Stdio},
    time::Duration,
};

/// A process that starts reads at once.
const READS_WITHIN: Duration = Duration::from_secs(10);

/// Three things that outlive a worker.
#[derive(Debug)]
pub struct Inheritance {
    /// For daemons and visitors.
    pub listener: OwnedFd,
    /// Of the [`Snapshot`].
    pub memory: OwnedFd,
    /// Of everything that is served.
    pub sockets: Store,
}

impl Inheritance {
    /// That of a process that begins with nothing.
    pub fn new(listener: UnixListener) -> io::Result<Inheritance> {
        Ok(Inheritance { listener: listener.into(), memory: Snapshot::create()?, sockets: Store::default() })
    }

    /// That of the calling process, and the stream to its parent.
    pub fn of_this_process() -> io::Result<(Inheritance, UnixStream)> {
        let parent = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        // No child of this process may hold the stream open: its end shows the parent that this process has ended.
        rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
        let descriptors = passing::receive(&parent, 2)?;
        let [listener, memory] = <[OwnedFd; 2]>::try_from(descriptors)
            .map_err(|_| io::Error::other("the listener and the memory were not passed on"))?;
        Ok((Inheritance { listener, memory, sockets: Store::receive(&parent)? }, parent))
    }

    /// Prepares a child. The result leads to it, for [`Inheritance::send`] once it runs.
    pub fn stream_to(command: &mut Command) -> io::Result<UnixStream> {
        let (here, there) = UnixStream::pair()?;
        here.set_write_timeout(Some(READS_WITHIN))?;
        command.stdin(Stdio::from(OwnedFd::from(there)));
        Ok(here)
    }

    /// Sends duplicates of everything.
    pub fn send(&self, to: &UnixStream) -> io::Result<()> {
        passing::send(to, &[self.listener.as_fd(), self.memory.as_fd()])?;
        self.sockets.send(to)
    }
}
