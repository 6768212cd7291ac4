//! Makes public names reachable for browsers on the host: one loopback port forwards by the Host header, and each public
//! address of a load balancer, of the edge or of websites has a loopback address: 198.18.a.b is 127.18.a.b.

use crate::{Planes, names};
use escale_base::PlaneError;
use escale_dns::{Dns, Kind, View};
use escale_engine::Engine;
use escale_network::{
    Directory, Forwarder, Namespace, PUBLIC, Place, forward, forward_by_name, forward_by_server_name,
};
use escale_service::{Cloud, Config};
use escale_store::{Image, Row, Store};
use escale_tables::{
    cloudfront::DistributionName,
    elbv2::LoadBalancerName,
    route53::{HostedZone, RecordSet, RecordType},
    s3::Bucket,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

/// The ports of load balancers and the edge.
const HTTP: u16 = 80;
const HTTPS: u16 = 443;

/// Starts the forwarders for clients on the host. Fails if the web port is in use. HTTPS is served if its port is free, and
/// both on their standard ports, too, where these are free.
pub async fn start(
    engine: &mut Engine,
    store: &Store,
    cloud: &Arc<Cloud>,
    planes: Planes,
) -> Result<(), PlaneError> {
    let internet = planes.network.namespace(&Place::Internet)?;
    let listen = (Ipv4Addr::LOCALHOST, cloud.config.web_port).into();
    let store = store.clone();
    let names = |port| {
        let (config, dns) = (Arc::clone(&cloud.config), Arc::clone(&planes.dns));
        Arc::new(PublicNames { store: store.clone(), config, dns, port })
    };
    let (http, https) = (names(HTTP), names(HTTPS));
    let by_name = forward_by_name(internet.clone(), listen, http.clone()).await?;
    tracing::info!(at = %by_name.local_addr(), "public names are served by Host header");
    // Resolvers return ::1 first for *.localhost, and not every client tries the second address.
    let listen = (Ipv6Addr::LOCALHOST, by_name.local_addr().port()).into();
    let by_name_too = forward_by_name(internet.clone(), listen, http.clone()).await;
    if let Err(error) = &by_name_too {
        tracing::info!(%error, "public names are served on IPv4 only, because listening on IPv6 failed");
    }
    let others = others(&internet, &cloud.config, http, https).await;
    let fixed = [cloud.config.edge_address, cloud.config.website_address];
    engine.run(async move {
        let _by_name = (by_name, by_name_too, others);
        follow(store, internet, fixed).await;
    });
    Ok(())
}

/// The listeners that the cloud can do without.
async fn others(
    internet: &Namespace,
    config: &Config,
    http: Arc<PublicNames>,
    https: Arc<PublicNames>,
) -> Vec<Forwarder> {
    let loopback = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
    let mut open = Vec::new();
    for address in loopback {
        let listen = SocketAddr::from((address, config.https_port));
        match forward_by_server_name(internet.clone(), listen, https.clone()).await {
            Ok(forwarder) => {
                tracing::info!(at = %forwarder.local_addr(), "public names are served over HTTPS by server name");
                open.push(forwarder);
            }
            Err(error) => tracing::warn!(%error, "public names are not served over HTTPS at {listen}"),
        }
    }
    // Another installation with ports of its own leaves the standard ports to the one with the default ports.
    if (config.web_port, config.https_port) == (Config::default().web_port, Config::default().https_port) {
        for address in loopback {
            let plain = forward_by_name(internet.clone(), (address, HTTP).into(), http.clone()).await;
            let tls = forward_by_server_name(internet.clone(), (address, HTTPS).into(), https.clone()).await;
            // A web server of the machine has them: that is no error.
            open.extend([plain, tls].into_iter().flatten());
        }
    }
    open
}

struct PublicNames {
    store: Store,
    config: Arc<Config>,
    dns: Arc<dyn Dns>,
    /// The port at which the names' addresses are reached.
    port: u16,
}

impl Directory for PublicNames {
    fn find(&self, name: &str) -> Option<SocketAddr> {
        let answer = self.dns.ask(&View::Public, name, Kind::A).ok()?;
        let addresses = answer.records.iter().filter_map(|record| record.value.parse::<Ipv4Addr>().ok());
        // Names of internal load balancers have private addresses, which the host must not reach.
        let public =
            addresses.filter(|address| PUBLIC.contains(address)).map(|address| (address, self.port).into());
        public.into_iter().next()
    }

    fn names(&self) -> Vec<String> {
        let image = self.store.read();
        let zones = image.scan::<HostedZone>().filter(|zone| !zone.private);
        let hosted: Vec<String> = zones.flat_map(|zone| hosted(&image, &zone)).collect();
        let balancers = image.scan::<LoadBalancerName>().map(|row| row.name.to_string());
        let websites = image.scan::<Bucket>().filter(|row| row.website.is_some());
        let all: BTreeSet<String> = hosted
            .into_iter()
            .chain(balancers)
            .chain(image.scan::<DistributionName>().map(|r| r.name.to_string()))
            .chain(websites.map(|row| self.config.website_name(&row.name)))
            .collect();
        all.into_iter().filter(|name| self.find(name).is_some()).collect()
    }
}

/// The names of a zone that have addresses, without wildcards.
fn hosted(image: &Image, zone: &HostedZone) -> Vec<String> {
    let prefix = format!("{}/", zone.id);
    let sets = image.prefix::<RecordSet>(&prefix);
    let with_address = sets.filter(|set| matches!(set.kind, RecordType::A | RecordType::Cname));
    let plain = with_address.map(|set| names::for_plane(&set.name).trim_end_matches('.').to_owned());
    plain.filter(|name| !name.starts_with('*')).collect()
}

/// Opens a loopback address for each public address, and closes it when the public address is released.
async fn follow(store: Store, internet: Namespace, fixed: [Ipv4Addr; 2]) {
    // Subscribed before the first read, so that no change is missed.
    let mut changes = store.subscribe(&[LoadBalancerName::TABLE, DistributionName::TABLE]);
    let mut open: BTreeMap<Ipv4Addr, [Option<Forwarder>; 2]> = BTreeMap::new();
    loop {
        let wanted = wanted(&store.read(), fixed);
        open.retain(|address, _| wanted.contains(address));
        for address in wanted {
            if open.contains_key(&address) {
                continue;
            }
            let [_, b, c, d] = address.octets();
            let mut forwarders = [None, None];
            for (port, opened) in [HTTP, HTTPS].into_iter().zip(&mut forwarders) {
                let (listen, target) = ((Ipv4Addr::new(127, b, c, d), port).into(), (address, port).into());
                let forwarder = forward(internet.clone(), listen, target).await;
                let forwarder = forwarder.inspect_err(|error| {
                    tracing::warn!(%error, "cannot forward a loopback address to a public address, which stays reachable by its name");
                });
                *opened = forwarder.ok();
            }
            // A failure is remembered, too: it is logged once and not retried at every change.
            open.insert(address, forwarders);
        }
        changes.changed().await;
    }
}

/// `fixed` are the addresses of the edge and of websites.
fn wanted(image: &Image, fixed: [Ipv4Addr; 2]) -> BTreeSet<Ipv4Addr> {
    let balancers: Vec<_> = image.scan::<LoadBalancerName>().filter(|row| row.public).collect();
    balancers.iter().flat_map(|row| row.addresses.iter().copied()).chain(fixed).collect()
}
