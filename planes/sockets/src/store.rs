//! The supervisor's side.

use crate::{Message, Sockets, passing};
use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
};

/// The sockets of a worker, open after its death.
#[derive(Debug, Default)]
pub struct Store(Sockets);

impl Store {
    pub fn new(sockets: Sockets) -> Store {
        Store(sockets)
    }

    /// The store that [`Store::send`] sent.
    pub fn receive(from: &UnixStream) -> io::Result<Store> {
        match passing::read(from)? {
            Message::Keep(addresses) => {
                let descriptors = passing::receive(from, addresses.len())?;
                Ok(Store(addresses.into_iter().zip(descriptors).collect()))
            }
            other => Err(io::Error::other(format!("expected sockets, not {other:?}"))),
        }
    }

    /// Sends duplicates of all sockets. The other side must be reading: there can be more than fit into the stream.
    pub fn send(&self, to: &UnixStream) -> io::Result<()> {
        passing::write(to, &Message::Keep(self.0.keys().copied().collect()))?;
        passing::send(to, &self.0.values().map(AsFd::as_fd).collect::<Vec<BorrowedFd<'_>>>())
    }

    pub fn into_sockets(self) -> Sockets {
        self.0
    }

    /// Executes the messages of a worker until it ends.
    pub fn follow(&mut self, worker: &UnixStream) {
        loop {
            let next = passing::read(worker).and_then(|message| self.execute(message, worker));
            match next {
                Ok(()) => {}
                // It has ended, at whichever byte.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
                    ) =>
                {
                    return;
                }
                Err(error) => {
                    tracing::error!(%error, "the sockets that the worker opens from now on are not kept for the next one");
                    return;
                }
            }
        }
    }

    fn execute(&mut self, message: Message, worker: &UnixStream) -> io::Result<()> {
        match message {
            Message::Keep(addresses) => {
                let descriptors = passing::receive(worker, addresses.len())?;
                self.0.extend(addresses.into_iter().zip(descriptors));
            }
            Message::Close(address) => {
                drop(self.0.remove(&address));
                passing::write(worker, &Message::Closed(address))?;
            }
            Message::Closed(_) => {}
        }
        Ok(())
    }
}
