//! Opens the sockets of DNS servers in network namespaces.

use async_trait::async_trait;
use escale_base::{PlaneError, error::Context as _};
use escale_dns::{OwnSockets, Sockets};
use escale_network::{Namespaces, Place};
use escale_sockets::Kept;
use std::net::{SocketAddr, TcpListener, UdpSocket};

/// The prefix of a VPC's router in [`name_of`].
const ROUTER: &str = "router/";
const INTERNET: &str = "internet";

/// Sockets for the DNS plane in namespaces of the network plane, and in the host's own for servers without a place.
pub struct PlaceSockets(pub Namespaces);

/// The plane's name of a place with a DNS server.
pub(crate) fn name_of(place: &Place) -> Option<String> {
    match place {
        Place::Internet => Some(INTERNET.to_owned()),
        Place::Router(vpc) => Some(format!("{ROUTER}{vpc}")),
        Place::Interface { .. } | Place::Host(_) => None,
    }
}

fn place_of(name: &str) -> Option<Place> {
    match name.strip_prefix(ROUTER) {
        Some(vpc) => Some(Place::Router(vpc.to_owned())),
        None => (name == INTERNET).then_some(Place::Internet),
    }
}

#[async_trait]
impl Sockets for PlaceSockets {
    async fn open(
        &self,
        place: Option<&str>,
        address: SocketAddr,
    ) -> Result<(Kept<UdpSocket>, Kept<TcpListener>), PlaneError> {
        let Some(name) = place else {
            return OwnSockets(self.0.keeper().clone()).open(None, address).await;
        };
        let place = place_of(name)
            .ok_or_else(|| PlaneError::asked(format!("'{name}' is not a place with a DNS server")))?;
        let namespace = self.0.open(&place)?;
        let what = || format!("open the DNS sockets {address} in {place}");
        let udp = namespace.keep_udp(address).machine(what)?;
        let tcp = namespace.keep_tcp(address).and_then(|tcp| tcp.try_map(tokio::net::TcpListener::into_std));
        let tcp = tcp.machine(what)?;
        Ok((udp, tcp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_names_and_back() {
        for place in [Place::Internet, Place::Router("vpc-1".into())] {
            assert_eq!(place_of(&name_of(&place).unwrap()), Some(place));
        }
        assert_eq!(name_of(&Place::Host("visitor".into())), None);
        assert_eq!(place_of("elsewhere"), None);
    }
}
