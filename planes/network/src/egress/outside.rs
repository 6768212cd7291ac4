//! This process's own connections to hosts outside of the cloud.

use super::{EgressSpec, policy};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, PoisonError, RwLock},
};
use tokio::net::TcpStream;

/// Connects from the process's own network namespace, to addresses that a sender in the cloud could reach through
/// [`super::Egress`]. Connects nowhere until it has a spec. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Outside(Arc<RwLock<Option<EgressSpec>>>);

impl Outside {
    /// `None` closes the way out; open connections continue.
    pub fn set(&self, spec: Option<EgressSpec>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = spec;
    }

    /// A refusal is `PermissionDenied`, with the reason.
    pub async fn connect(&self, to: Ipv4Addr, port: u16) -> io::Result<TcpStream> {
        self.may(to)?;
        TcpStream::connect(SocketAddr::from((to, port))).await
    }

    fn may(&self, to: Ipv4Addr) -> io::Result<()> {
        let spec = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let refused = |why: &str| {
            let what = format!("{to} cannot be reached from the cloud: {why}");
            Err(io::Error::new(io::ErrorKind::PermissionDenied, what))
        };
        match spec.as_ref() {
            None => refused("it has no way to the Internet of this machine"),
            Some(spec) => policy::refusal(to, &spec.allowed).map_or(Ok(()), refused),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[tokio::test]
    async fn reaches_what_egress_would_and_nothing_without_a_spec() {
        let outside = Outside::default();
        let kind = async |to: &str| {
            outside.connect(to.parse().unwrap(), 1).await.map(drop).map_err(|error| error.kind())
        };
        let denied = Err(io::ErrorKind::PermissionDenied);
        assert_eq!(kind("203.0.113.9").await, denied);
        let allowed = BTreeSet::from(["10.1.0.0/16".parse().unwrap()]);
        outside.set(Some(EgressSpec { allowed, connections: 1 }));
        for address in ["127.0.0.1", "198.18.0.2", "10.2.0.1", "169.254.169.254"] {
            assert_eq!(kind(address).await, denied, "{address}");
        }
        assert!(outside.may([10, 1, 0, 1].into()).is_ok());
        outside.set(None);
        assert!(outside.may([10, 1, 0, 1].into()).is_err());
    }
}
