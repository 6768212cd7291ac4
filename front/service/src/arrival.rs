//! Where a request entered.

use std::net::{IpAddr, SocketAddr};

/// The kind of listener that accepted a request. It decides whether the account's root may be the caller: see
/// [`crate::Caller::arriving`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// The API's endpoint on the host's own loopback address: only processes of this machine reach it.
    HostLoopback,
    /// A listener inside the cloud's networks. Tasks reach it; so does the host through a forwarded public address, and
    /// nothing tells the two apart.
    Cloud,
}

/// The way by which one request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub entrance: Entrance,
    pub peer: SocketAddr,
}

/// Where a call comes from. One from a client exists only as part of a [`crate::Caller::arriving`] that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source(Option<Arrival>);

impl Source {
    /// The daemon itself: a service that calls another one.
    pub const DAEMON: Source = Source(None);

    pub(crate) fn client(arrival: Arrival) -> Source {
        Source(Some(arrival))
    }

    /// The client's address; `None` for the daemon's own calls.
    pub fn ip(&self) -> Option<IpAddr> {
        self.0.map(|arrival| arrival.peer.ip())
    }

    /// The listener that the call came through; `None` for the daemon's own calls.
    pub fn entrance(&self) -> Option<Entrance> {
        self.0.map(|arrival| arrival.entrance)
    }
}
