//! The planes' traits, executed by the data plane's process.

use crate::{
    Link,
    message::{Answer, OriginKey, OriginKeys, OwnHosts, Request},
};
use async_trait::async_trait;
use escale_base::{PlaneError, error::Fault};
use escale_cdn::{Cdn, Counts, DistributionSpec, Visit};
use escale_dns::{Dns, DnsPlane, Kind, ServerSpec, Spec, View};
use escale_network::{EgressSpec, HostWeb, HostWebSpec};
use escale_proxy::{BalancerSpec, NodeCounts, Proxies, Seen};
use std::{net::SocketAddr, sync::Arc};
use tokio::sync::watch;

/// Records of requests in one message: a record can have all headers of its request, and a message has a bound.
const RECORDS: usize = 1000;

/// The key that signs requests of a distribution to one of its origins, which the daemon serves; `None` if no key exists.
pub type KeyOf = Arc<dyn Fn(&str, &str) -> Option<OriginKey> + Send + Sync>;

/// The load balancers.
pub struct RemoteProxies(pub Arc<Link>);

/// The edge.
pub struct RemoteCdn {
    pub link: Arc<Link>,
    pub key_of: KeyOf,
}

/// DNS. Questions of the daemon itself are answered here, from the same spec.
pub struct RemoteDns {
    link: Arc<Link>,
    own: DnsPlane,
}

/// The host's forwarders.
pub struct RemoteWeb(pub Arc<Link>);

impl Link {
    /// Accepts viewers of distributions at this address of the cloud's Internet.
    pub async fn serve_viewers(&self, address: SocketAddr, https: bool) -> Result<(), PlaneError> {
        self.note(|sent| sent.state.viewers.insert(address, https));
        self.call(Request::ServeViewers { address, https }).await.map(drop)
    }

    /// Opens the way from the cloud's Internet to the host's; `None` closes it.
    pub async fn apply_egress(&self, spec: Option<EgressSpec>) -> Result<(), PlaneError> {
        self.note(|sent| sent.state.egress.clone_from(&spec));
        self.call(Request::ApplyEgress(spec)).await.map(drop)
    }

    /// Reports that the daemon's own listeners are open.
    pub async fn daemon_serves(&self, hosts: OwnHosts) -> Result<(), PlaneError> {
        self.note(|sent| {
            sent.state.hosts.clone_from(&hosts);
            sent.is_serving = true;
        });
        self.call(Request::DaemonServes(hosts)).await.map(drop)
    }
}

/// The process answers a call with another call's answer: a bug.
fn mixed_up<T>(answer: Answer) -> Result<T, PlaneError> {
    Err(PlaneError::plane(format!("the data plane's process gave another answer than expected: {answer:?}")))
}

#[async_trait]
impl Proxies for RemoteProxies {
    async fn apply(&self, spec: BalancerSpec) -> Result<(), PlaneError> {
        escale_proxy::check(&spec)?;
        // Noted before the call: a process that starts again meanwhile must have it, too.
        self.0.note(|sent| sent.state.balancers.insert(spec.name.clone(), spec.clone()));
        self.0.call(Request::ApplyBalancer(Box::new(spec))).await.map(drop)
    }

    async fn remove(&self, name: &str) -> Result<(), PlaneError> {
        self.0.note(|sent| sent.state.balancers.remove(name));
        self.0.call(Request::RemoveBalancer(name.to_owned())).await.map(drop)
    }

    fn names(&self) -> Vec<String> {
        self.0.mirror(|mirror| mirror.balancers.keys().cloned().collect())
    }

    fn seen(&self, name: &str) -> Option<watch::Receiver<Arc<Seen>>> {
        self.0.mirror(|mirror| mirror.balancers.get(name).map(watch::Sender::subscribe))
    }

    async fn counts(&self, name: &str) -> Result<Option<Vec<NodeCounts>>, PlaneError> {
        match self.0.call(Request::CountBalancer(name.to_owned())).await? {
            Answer::Balancer(counts) => Ok(counts),
            other => mixed_up(other),
        }
    }

    async fn take_log(&self, most: usize) -> Result<Vec<escale_proxy::Visit>, PlaneError> {
        in_pages(&self.0, most, Request::TakeBalancerLog, |answer| match answer {
            Answer::BalancerLog(visits) => Ok(visits),
            other => mixed_up(other),
        })
        .await
    }
}

/// Collects records, as many at once as a message may hold.
async fn in_pages<T>(
    link: &Link,
    most: usize,
    request: fn(usize) -> Request,
    records: fn(Answer) -> Result<Vec<T>, PlaneError>,
) -> Result<Vec<T>, PlaneError> {
    let mut all = Vec::new();
    while all.len() < most {
        let wanted = (most - all.len()).min(RECORDS);
        let page = records(link.call(request(wanted)).await?)?;
        let is_last = page.len() < wanted;
        all.extend(page);
        if is_last {
            break;
        }
    }
    Ok(all)
}

#[async_trait]
impl Cdn for RemoteCdn {
    async fn apply(&self, spec: DistributionSpec) -> Result<(), PlaneError> {
        escale_cdn::check(&spec)?;
        let signed = spec.origins.iter().filter(|origin| origin.signed).map(|origin| &origin.id);
        let key_of = |origin: &String| Some((origin.clone(), (self.key_of)(&spec.id, origin)?));
        let keys: OriginKeys = signed.filter_map(key_of).collect();
        let id = spec.id.clone();
        let before = self.link.note(|sent| {
            sent.keys.insert(id.clone(), keys.clone());
            sent.state.distributions.insert(id.clone(), spec.clone())
        });
        let applied = self.link.call(Request::ApplyDistribution(Box::new(spec), keys)).await;
        if applied.as_ref().is_err_and(|error| error.fault == Fault::Asked) {
            // Another distribution has one of its hosts: the previous spec is still served.
            self.link.note(|sent| match before {
                Some(before) => drop(sent.state.distributions.insert(id, before)),
                None => drop(sent.state.distributions.remove(&id)),
            });
        }
        applied.map(drop)
    }

    async fn remove(&self, id: &str) -> Result<(), PlaneError> {
        self.link.note(|sent| {
            sent.keys.remove(id);
            sent.state.distributions.remove(id)
        });
        self.link.call(Request::RemoveDistribution(id.to_owned())).await.map(drop)
    }

    async fn invalidate(&self, id: &str, paths: &[String]) -> Result<usize, PlaneError> {
        match self.link.call(Request::Invalidate { id: id.to_owned(), paths: paths.to_vec() }).await? {
            Answer::Dropped(dropped) => Ok(dropped),
            other => mixed_up(other),
        }
    }

    async fn take_log(&self, most: usize) -> Result<Vec<Visit>, PlaneError> {
        in_pages(&self.link, most, Request::TakeLog, |answer| match answer {
            Answer::Log(visits) => Ok(visits),
            other => mixed_up(other),
        })
        .await
    }

    fn ids(&self) -> Vec<String> {
        self.link.mirror(|mirror| mirror.distributions.iter().cloned().collect())
    }

    async fn counts(&self, id: &str) -> Result<Option<Counts>, PlaneError> {
        match self.link.call(Request::CountDistribution(id.to_owned())).await? {
            Answer::Distribution(counts) => Ok(counts),
            other => mixed_up(other),
        }
    }
}

impl RemoteDns {
    pub fn new(link: Arc<Link>) -> RemoteDns {
        RemoteDns { link, own: DnsPlane::new() }
    }
}

#[async_trait]
impl Dns for RemoteDns {
    async fn apply(&self, spec: Spec) -> Result<(), PlaneError> {
        self.own.load(spec.clone())?;
        self.link.note(|sent| sent.state.names = Some(spec.clone()));
        self.link.call(Request::ApplyNames(spec)).await.map(drop)
    }

    fn ask(&self, view: &View, name: &str, kind: Kind) -> Result<escale_dns::Answer, PlaneError> {
        self.own.ask(view, name, kind)
    }

    async fn serve(&self, server: ServerSpec) -> Result<SocketAddr, PlaneError> {
        let answer = self.link.call(Request::Serve(server.clone())).await?;
        let Answer::Listens(address) = answer else { return mixed_up(answer) };
        // Only now: port 0 selects a port, which a process that starts again must keep.
        self.link
            .note(|sent| sent.state.servers.insert(server.name.clone(), ServerSpec { address, ..server }));
        Ok(address)
    }

    async fn stop(&self, name: &str) -> Result<(), PlaneError> {
        self.link.note(|sent| sent.state.servers.remove(name));
        self.link.call(Request::StopServer(name.to_owned())).await.map(drop)
    }
}

#[async_trait]
impl HostWeb for RemoteWeb {
    async fn apply(&self, spec: HostWebSpec) -> Result<(), PlaneError> {
        self.0.note(|sent| sent.state.web = Some(spec.clone()));
        self.0.call(Request::ApplyWeb(spec)).await.map(drop)
    }
}
