//! Connects the edge to origins, over the cloud's Internet or the host's.

use async_trait::async_trait;
use escale_base::{Clock, PlaneError};
use escale_cdn::{Connector, OriginSigner};
use escale_dns::{Code, Dns, DnsPlane, Kind, View};
use escale_network::{Directory, Namespaces, Outside, PUBLIC, Place, first_answer};
use escale_plane::Daemon;
use escale_wire::sigv4;
use socket2::SockRef;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::net::TcpStream;

/// Nodes of load balancers acknowledge within a millisecond; this covers one lost packet. It is not for hosts outside.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_millis(700);

/// The port of public names.
const HTTP: u16 = 80;

/// How many CNAME records lead from zone to zone: more than anyone needs, and an end for a circle.
const LINKS: usize = 8;

/// How many addresses of a host outside are tried. The origin's connection timeout ends the attempts, too.
const ADDRESSES: usize = 8;

/// Where a name leads.
enum Found {
    /// The cloud's public addresses. Names of internal load balancers have private addresses, which only their network reaches.
    Here(Vec<Ipv4Addr>),
    /// To this name, which the cloud's zones do not contain.
    Outside(String),
}

fn find(dns: &DnsPlane, name: &str) -> Found {
    let mut name = name.to_owned();
    for _ in 0..LINKS {
        let Ok(answer) = dns.ask(&View::Public, &name, Kind::A) else { break };
        if answer.code == Code::Refused {
            return Found::Outside(name);
        }
        let records = if answer.code == Code::NoError { answer.records } else { Vec::new() };
        let addresses = records.iter().filter_map(|record| record.value.parse::<Ipv4Addr>().ok());
        let addresses: Vec<Ipv4Addr> = addresses.filter(|address| PUBLIC.contains(address)).collect();
        // An authoritative answer ends with the CNAME that leads to another zone: following it is the client's part.
        match records.last() {
            Some(last) if addresses.is_empty() && last.kind == "CNAME" => name = last.value.clone(),
            _ => return Found::Here(addresses),
        }
    }
    Found::Here(Vec::new())
}

fn public(dns: &DnsPlane, name: &str) -> Vec<Ipv4Addr> {
    match find(dns, name) {
        Found::Here(addresses) => addresses,
        Found::Outside(_) => Vec::new(),
    }
}

/// The public names, for the host's forwarders.
pub(crate) struct PublicNames(pub(crate) DnsPlane);

impl Directory for PublicNames {
    fn find(&self, name: &str) -> Vec<SocketAddr> {
        public(&self.0, name).into_iter().map(|address| (address, HTTP).into()).collect()
    }

    fn names(&self) -> Vec<String> {
        self.0.public_names().into_iter().filter(|name| !self.find(name).is_empty()).collect()
    }
}

/// Connects from the cloud's Internet to S3, which the daemon serves, and to public names: load balancers, and the websites of
/// buckets. Names that the cloud does not have are those of hosts outside, which are reached as tasks reach them.
pub(crate) struct Origins {
    pub(crate) namespaces: Namespaces,
    pub(crate) outside: Outside,
    pub(crate) dns: DnsPlane,
    pub(crate) daemon: Daemon,
}

#[async_trait]
impl Connector for Origins {
    async fn connect(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let internet = self.namespaces.open(&Place::Internet).map_err(io::Error::other)?;
        // Waits while no daemon serves it: the edge gives up after the origin's own timeout, as for any other origin.
        if let Some(address) = self.daemon.address(host).await {
            return internet.tcp_connect((address.ip(), port).into()).await;
        }
        let addresses = match find(&self.dns, host) {
            Found::Here(addresses) => addresses,
            Found::Outside(name) => return self.connect_outside(&name, port).await,
        };
        if addresses.is_empty() {
            let none = format!("'{host}' has no public address in this cloud");
            return Err(io::Error::new(io::ErrorKind::NotFound, none));
        }
        // Any node of a load balancer serves the request.
        let stream = first_answer(addresses, |address| {
            let internet = &internet;
            async move {
                // The websites of buckets are the daemon's, too.
                self.daemon.reachable(address).await;
                let stream = internet.tcp_connect((address, port).into()).await?;
                SockRef::from(&stream).set_tcp_user_timeout(Some(ACKNOWLEDGED_WITHIN))?;
                Ok(stream)
            }
        });
        stream.await
    }
}

impl Origins {
    async fn connect_outside(&self, name: &str, port: u16) -> io::Result<TcpStream> {
        let none =
            format!("'{name}' has an address neither in this cloud nor, as far as it may look, outside");
        let mut last = io::Error::new(io::ErrorKind::NotFound, none);
        for address in self.dns.addresses_outside(name).await?.into_iter().take(ADDRESSES) {
            match self.outside.connect(address, port).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// Signs requests to S3 as the distribution, so that the bucket's policy applies.
pub(crate) struct Signer {
    pub(crate) daemon: Daemon,
    pub(crate) clock: Clock,
}

#[async_trait]
impl OriginSigner for Signer {
    async fn sign(
        &self,
        distribution: &str,
        origin: &str,
        head: &mut http::request::Parts,
    ) -> Result<(), PlaneError> {
        let failed =
            || PlaneError::plane(format!("cannot sign a request to origin '{origin}' of {distribution}"));
        let key = self.daemon.key(distribution, origin).await.ok_or_else(failed)?;
        let credentials =
            sigv4::Credentials { access_key: &key.access_key, secret: &key.secret, session_token: None };
        let signer = sigv4::Signer { credentials, region: &key.region, service: "s3" };
        sigv4::sign(head, &signer, sigv4::Content::Unsigned, self.clock.now())
            .map_err(|error| failed().because(error))
    }
}
