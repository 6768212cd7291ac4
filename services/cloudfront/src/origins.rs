//! Connects the cdn plane to origins, over the cloud's Internet.

use crate::PRINCIPAL;
use async_trait::async_trait;
use escale_base::{Arn, PlaneError};
use escale_cdn::{Connector, OriginSigner};
use escale_network::{Network, Place};
use escale_service::{Cloud, Config};
use escale_store::Store;
use escale_tables::elbv2::LoadBalancerName;
use escale_wire::sigv4;
use std::{io, net::SocketAddr, sync::Arc};
use tokio::net::TcpStream;

/// Connects from the cloud's Internet to S3, to the websites of buckets and to internet-facing load balancers.
pub(crate) struct InternetConnector {
    pub network: Arc<dyn Network>,
    pub store: Store,
    pub config: Arc<Config>,
}

impl InternetConnector {
    /// The addresses of a name: S3's, that of websites, or a load balancer's public ones. Other hosts are not on this Internet.
    fn addresses(&self, host: &str, port: u16) -> Vec<SocketAddr> {
        if host == Config::s3_name() {
            return vec![(self.config.s3_address, self.config.port).into()];
        }
        let host = host.to_ascii_lowercase();
        if self.config.website_domains().iter().any(|domain| host.ends_with(&format!(".{domain}"))) {
            return vec![(self.config.website_address, port).into()];
        }
        let found = self.store.read().get::<LoadBalancerName>(&host);
        let public = found.filter(|name| name.public);
        public.map(|name| name.addresses.iter().map(|ip| (*ip, port).into()).collect()).unwrap_or_default()
    }
}

#[async_trait]
impl Connector for InternetConnector {
    async fn connect(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let internet = self.network.namespace(&Place::Internet).map_err(io::Error::other)?;
        let none =
            format!("'{host}' is neither an internet-facing load balancer nor a website of S3 in this cloud");
        let mut last = io::Error::new(io::ErrorKind::NotFound, none);
        // Any node of a load balancer serves the request, so the next one is tried after a failure.
        for address in self.addresses(host, port) {
            match internet.tcp_connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// Signs requests to S3 as the distribution, so that the bucket's policy applies.
pub(crate) struct Signer(pub Arc<Cloud>);

impl OriginSigner for Signer {
    fn sign(&self, id: &str, origin: &str, head: &mut http::request::Parts) -> Result<(), PlaneError> {
        let config = &self.0.config;
        let arn = Arn::new("cloudfront", "", &config.account, format!("distribution/{id}")).to_string();
        let (access_key, secret) = self.0.service_key(PRINCIPAL, &arn);
        let credentials =
            sigv4::Credentials { access_key: &access_key, secret: &secret, session_token: None };
        let signer = sigv4::Signer { credentials, region: &config.region, service: "s3" };
        sigv4::sign(head, &signer, sigv4::Content::Unsigned, self.0.clock.now()).map_err(|e| {
            PlaneError::plane(format!("cannot sign a request to origin '{origin}' of {id}")).because(e)
        })
    }
}
