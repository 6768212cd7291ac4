//! Sockets that outlive the process that serves them.
//!
//! A worker opens its listening sockets through a [`Keeper`], which passes a duplicate of each to the [`Store`] of its supervisor. When
//! the worker dies, the sockets stay open: connections wait in their queues until the next worker, which gets all of them at its start,
//! accepts. [`Keeper::duplicates`] are for a process of another program, which then accepts from the same queues. In neither case is a
//! connection refused.
//!
//! A socket is closed everywhere when its [`Kept`] is dropped, so a port is free afterwards, as without a keeper. A socket that the next
//! worker does not open is closed by [`Keeper::close_spare`].
//!
//! Knows nothing about namespaces but the number of one, and starts no process. Start at [`Keeper::open`].

mod keeper;
pub mod passing;
mod store;

pub use keeper::{Keeper, Kept};
pub use store::Store;

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::SocketAddr, os::fd::OwnedFd};

/// What a socket receives. One socket at a time can have an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    /// The inode of the network namespace, which exists at least as long as the socket.
    pub network: u64,
    pub transport: Transport,
    /// With the actual port.
    pub at: SocketAddr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Transport {
    Tcp,
    Udp,
}

pub type Sockets = BTreeMap<Address, OwnedFd>;

/// Between a worker and its supervisor.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Message {
    /// The sockets follow, in this order.
    Keep(Vec<Address>),
    Close(Address),
    /// The answer to [`Message::Close`].
    Closed(Address),
}
