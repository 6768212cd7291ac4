//! Each plane's trait once more, with every call passing through the [`Hazard`].

use crate::hazard::Hazard;
use async_trait::async_trait;
use escale_base::{PlaneError, Timestamp};
use escale_cdn::Cdn;
use escale_containers::{Containers, ExecOutput, GroupSeen, LogChunk, Snapshot, Stats, spec::GroupSpec};
use escale_dns::Dns;
use escale_logstore::{LogStore, Message, Page, Query, Summary};
use escale_network::{Applied, InternetSpec, Namespace, Network, Observed, Place, VpcSpec};
use escale_postgres::{DatabaseSpec, Failover, Postgres, Step};
use escale_proxy::{BalancerSpec, NodeCounts, Proxies, Seen};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// A plane, and what may happen on the way to it.
pub(crate) struct Risky<P: ?Sized> {
    pub(crate) plane: Arc<P>,
    pub(crate) hazard: Arc<Hazard>,
}

type Result<T> = std::result::Result<T, PlaneError>;

#[async_trait]
impl<P: Network + ?Sized> Network for Risky<P> {
    async fn apply(&self, spec: VpcSpec) -> Result<Applied> {
        self.hazard.call("network apply", self.plane.apply(spec)).await
    }
    async fn remove(&self, vpc: &str) -> Result<()> {
        self.hazard.call("network remove", self.plane.remove(vpc)).await
    }
    async fn apply_internet(&self, spec: InternetSpec) -> Result<()> {
        self.hazard.call("network apply_internet", self.plane.apply_internet(spec)).await
    }
    async fn vpcs(&self) -> Result<BTreeSet<String>> {
        self.hazard.call("network vpcs", self.plane.vpcs()).await
    }
    async fn observe(&self, vpc: &str) -> Result<Option<Observed>> {
        self.hazard.call("network observe", self.plane.observe(vpc)).await
    }
    fn namespace(&self, place: &Place) -> Result<Namespace> {
        self.hazard.at_once("network namespace", || self.plane.namespace(place))
    }
    fn namespace_path(&self, place: &Place) -> PathBuf {
        self.plane.namespace_path(place)
    }
    async fn wipe(&self) -> Result<()> {
        self.plane.wipe().await
    }
}

/// Forwards what a plane shows, late if the weather says so, and to each follower in a channel of its own: who is woken first
/// among several followers of one channel is left to chance by tokio, and a run must repeat itself.
pub(crate) struct Hub<T> {
    followers: Arc<Mutex<Vec<watch::Sender<T>>>>,
    now: watch::Receiver<T>,
}

impl<T: Clone + Send + Sync + 'static> Hub<T> {
    pub(crate) fn new(hazard: &Arc<Hazard>, mut of: watch::Receiver<T>) -> Hub<T> {
        let followers: Arc<Mutex<Vec<watch::Sender<T>>>> = Arc::default();
        let hub = Hub { followers: Arc::clone(&followers), now: of.clone() };
        of.mark_unchanged();
        let hazard = Arc::clone(hazard);
        tokio::spawn(async move {
            while of.changed().await.is_ok() {
                hazard.pause().await;
                let now = of.borrow_and_update().clone();
                let mut all = followers.lock().unwrap_or_else(PoisonError::into_inner);
                all.retain(|follower| follower.send(now.clone()).is_ok());
            }
            // What is shown no longer ends: the followers are told by their channels.
            followers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        });
        hub
    }

    fn follow(&self) -> watch::Receiver<T> {
        let (sender, receiver) = watch::channel(self.now.borrow().clone());
        self.followers.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        receiver
    }
}

/// Containers, with one hub for all who follow.
pub(crate) struct RiskyContainers {
    plane: Arc<dyn Containers>,
    hazard: Arc<Hazard>,
    hub: Hub<Snapshot>,
}

impl RiskyContainers {
    pub(crate) fn new(plane: &Arc<dyn Containers>, hazard: &Arc<Hazard>) -> RiskyContainers {
        let hub = Hub::new(hazard, plane.changes());
        RiskyContainers { plane: Arc::clone(plane), hazard: Arc::clone(hazard), hub }
    }

    /// As the plane's own, which waits in a channel that all share.
    async fn follow_logs(&self, group: &str, container: &str, cursor: u64, max: usize) -> Result<LogChunk> {
        let mut changes = self.hub.follow();
        loop {
            let chunk = self.plane.logs(group, container, cursor, max, false).await?;
            if chunk.end || !chunk.lines.is_empty() || chunk.next != cursor {
                return Ok(chunk);
            }
            if changes.changed().await.is_err() {
                return Ok(chunk);
            }
        }
    }
}

#[async_trait]
impl Containers for RiskyContainers {
    async fn start(&self, group: GroupSpec) -> Result<()> {
        self.hazard.call("containers start", self.plane.start(group)).await
    }
    async fn stop(&self, group: &str, reason: &str) -> Result<()> {
        self.hazard.call("containers stop", self.plane.stop(group, reason)).await
    }
    async fn remove(&self, group: &str) -> Result<()> {
        self.hazard.call("containers remove", self.plane.remove(group)).await
    }
    fn observe(&self, group: &str) -> Option<Arc<GroupSeen>> {
        self.plane.observe(group)
    }
    fn list(&self) -> Snapshot {
        self.plane.list()
    }
    fn changes(&self) -> watch::Receiver<Snapshot> {
        self.hub.follow()
    }
    async fn logs(
        &self,
        group: &str,
        container: &str,
        cursor: u64,
        max_bytes: usize,
        follow: bool,
    ) -> Result<LogChunk> {
        match follow {
            true => {
                let read = self.follow_logs(group, container, cursor, max_bytes);
                self.hazard.call("containers logs", read).await
            }
            false => {
                let read = self.plane.logs(group, container, cursor, max_bytes, false);
                self.hazard.call("containers logs", read).await
            }
        }
    }
    async fn stats(&self, group: &str) -> Result<Stats> {
        self.hazard.call("containers stats", self.plane.stats(group)).await
    }
    async fn exec(
        &self,
        group: &str,
        container: &str,
        argv: &[String],
        timeout: Duration,
    ) -> Result<ExecOutput> {
        self.hazard.call("containers exec", self.plane.exec(group, container, argv, timeout)).await
    }
    async fn power(&self, zone: &str, on: bool) -> Result<()> {
        self.plane.power(zone, on).await
    }
    async fn wipe(&self) -> Result<()> {
        self.plane.wipe().await
    }
}

#[async_trait]
impl<P: Postgres + ?Sized> Postgres for Risky<P> {
    async fn step(&self, spec: &DatabaseSpec) -> Result<Option<Step>> {
        self.hazard.call("postgres step", self.plane.step(spec)).await
    }
    async fn observe(&self, name: &str) -> Result<Option<escale_postgres::Observed>> {
        self.hazard.call("postgres observe", self.plane.observe(name)).await
    }
    async fn list(&self) -> Result<Vec<String>> {
        self.hazard.call("postgres list", self.plane.list()).await
    }
    async fn failover(&self, name: &str, away_from: &str) -> Result<Failover> {
        self.hazard.call("postgres failover", self.plane.failover(name, away_from)).await
    }
    async fn restart(&self, name: &str, asked_at: Timestamp) -> Result<()> {
        self.hazard.call("postgres restart", self.plane.restart(name, asked_at)).await
    }
    async fn snapshot(&self, name: &str, snapshot: &str) -> Result<escale_postgres::Snapshot> {
        self.hazard.call("postgres snapshot", self.plane.snapshot(name, snapshot)).await
    }
    async fn snapshots(&self) -> Result<Vec<escale_postgres::Snapshot>> {
        self.hazard.call("postgres snapshots", self.plane.snapshots()).await
    }
    async fn delete_snapshot(&self, snapshot: &str) -> Result<()> {
        self.hazard.call("postgres delete_snapshot", self.plane.delete_snapshot(snapshot)).await
    }
    async fn delete(&self, name: &str, final_snapshot: Option<&str>) -> Result<()> {
        self.hazard.call("postgres delete", self.plane.delete(name, final_snapshot)).await
    }
    async fn power_off(&self, zone: &str) -> Result<()> {
        self.plane.power_off(zone).await
    }
    async fn power_on(&self, zone: &str) -> Result<()> {
        self.plane.power_on(zone).await
    }
    async fn wipe(&self) -> Result<()> {
        self.plane.wipe().await
    }
}

#[async_trait]
impl<P: Proxies + ?Sized> Proxies for Risky<P> {
    async fn apply(&self, spec: BalancerSpec) -> Result<()> {
        self.hazard.call("proxies apply", self.plane.apply(spec)).await
    }
    async fn remove(&self, name: &str) -> Result<()> {
        self.hazard.call("proxies remove", self.plane.remove(name)).await
    }
    fn names(&self) -> Vec<String> {
        self.plane.names()
    }
    fn seen(&self, name: &str) -> Option<watch::Receiver<Arc<Seen>>> {
        Some(Hub::new(&self.hazard, self.plane.seen(name)?).follow())
    }
    fn counts(&self, name: &str) -> Option<Vec<NodeCounts>> {
        self.plane.counts(name)
    }
}

#[async_trait]
impl<P: Cdn + ?Sized> Cdn for Risky<P> {
    async fn apply(&self, spec: escale_cdn::DistributionSpec) -> Result<()> {
        self.hazard.call("cdn apply", self.plane.apply(spec)).await
    }
    async fn remove(&self, id: &str) -> Result<()> {
        self.hazard.call("cdn remove", self.plane.remove(id)).await
    }
    async fn invalidate(&self, id: &str, paths: &[String]) -> Result<usize> {
        self.hazard.call("cdn invalidate", self.plane.invalidate(id, paths)).await
    }
    fn ids(&self) -> Vec<String> {
        self.plane.ids()
    }
    fn counts(&self, id: &str) -> Option<escale_cdn::Counts> {
        self.plane.counts(id)
    }
}

#[async_trait]
impl<P: LogStore + ?Sized> LogStore for Risky<P> {
    async fn append(&self, stream: &str, messages: Vec<Message>, at: Timestamp) -> Result<u64> {
        // Messages that were added and said not to be would be added twice, rightly.
        self.hazard.atomic("logs append", self.plane.append(stream, messages, at)).await
    }
    async fn read(&self, streams: &[String], query: &Query) -> Result<Page> {
        self.hazard.call("logs read", self.plane.read(streams, query)).await
    }
    async fn summaries(&self, streams: &[String]) -> Result<BTreeMap<String, Summary>> {
        self.hazard.call("logs summaries", self.plane.summaries(streams)).await
    }
    async fn streams(&self) -> Result<BTreeSet<String>> {
        self.hazard.call("logs streams", self.plane.streams()).await
    }
    async fn expire(&self, stream: &str, before: Timestamp) -> Result<u64> {
        self.hazard.call("logs expire", self.plane.expire(stream, before)).await
    }
    async fn forget(&self, stream: &str) -> Result<()> {
        self.hazard.call("logs forget", self.plane.forget(stream)).await
    }
}

impl<P: Dns + ?Sized> Dns for Risky<P> {
    fn apply(&self, spec: escale_dns::Spec) -> Result<()> {
        self.hazard.at_once("dns apply", || self.plane.apply(spec))
    }
    fn ask(&self, view: &escale_dns::View, name: &str, kind: escale_dns::Kind) -> Result<escale_dns::Answer> {
        self.plane.ask(view, name, kind)
    }
    fn serve(
        &self,
        view: escale_dns::View,
        udp: std::net::UdpSocket,
        tcp: std::net::TcpListener,
    ) -> Result<escale_dns::Server> {
        self.hazard.at_once("dns serve", || self.plane.serve(view, udp, tcp))
    }
}
