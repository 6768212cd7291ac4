//! The listener that a request came through.

use std::net::{IpAddr, SocketAddr};

/// The kind of listener that accepted a request. It decides whether the root principal may be the caller: see
/// [`crate::Caller::arriving`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// The API's endpoint on the host's own loopback address: only processes of this machine reach it.
    HostLoopback,
    /// A listener inside the cloud's networks. Tasks reach it, and the host does through a forwarded public address; the two
    /// cannot be distinguished.
    Cloud,
}

/// The listener and the client's address of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub entrance: Entrance,
    pub peer: SocketAddr,
    /// `None` if the request came over plain HTTP.
    pub tls: Option<TlsSession>,
}

/// The TLS of a connection, by the names that AWS's logs use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsSession {
    /// `TLSv1.3`
    pub version: &'static str,
    /// `TLS_AES_128_GCM_SHA256`
    pub suite: &'static str,
}

impl Arrival {
    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}

/// The origin of a call: a client or the daemon. Only [`crate::Caller::arriving`] makes one for a client.
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

    /// The value of `aws:SecureTransport`. The daemon's own calls cross no network: on AWS, those of its services use TLS.
    pub fn is_secure(&self) -> bool {
        self.0.is_none_or(|arrival| arrival.tls.is_some())
    }

    /// The listener that the call came through; `None` for the daemon's own calls.
    pub fn entrance(&self) -> Option<Entrance> {
        self.0.map(|arrival| arrival.entrance)
    }
}
