//! A wrapper for each plane's trait that asks a [`Fate`] at every call.

use crate::{Fate, Kind, MadeUp};
use async_trait::async_trait;
use escale_authority::{Authority, Issued, Leaf, Purpose};
use escale_base::{PlaneError, Timestamp};
use escale_cdn::Cdn;
use escale_containers::{
    Containers, ExecOutput, GroupSeen, LogChunk, Session, SessionSpec, Snapshot, Stats, spec::GroupSpec,
};
use escale_dns::Dns;
use escale_logstore::{LogStore, Message, Page, Query, Summary};
use escale_metrics::{Datum, Listed, Metrics, Point, Series, Window};
use escale_network::{
    Applied, Flows, InternetSpec, Namespace, Network, Observed, Place, Translations, VpcSpec,
};
use escale_postgres::{DatabaseSpec, Failover, Postgres, Step};
use escale_proxy::{BalancerSpec, NodeCounts, Proxies, Seen};
use std::{
    any::Any,
    collections::{BTreeMap, BTreeSet},
    net::SocketAddrV4,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

type Observations = BTreeMap<(&'static str, String), Box<dyn Any + Send>>;

/// A plane whose calls can fail, and whose observations can be stale.
pub struct Risky<P: ?Sized> {
    pub(crate) plane: Arc<P>,
    pub(crate) fate: Arc<dyn Fate>,
    /// The last observations, by call and object.
    before: Mutex<Observations>,
}

impl<P: ?Sized> Risky<P> {
    pub fn new(plane: &Arc<P>, fate: &Arc<dyn Fate>) -> Arc<Risky<P>> {
        Arc::new(Risky { plane: Arc::clone(plane), fate: Arc::clone(fate), before: Mutex::default() })
    }

    /// Returns the observation before this one if the fate says so.
    fn perhaps_stale<T: Clone + Send + 'static>(&self, call: &'static str, of: &str, now: T) -> T {
        let mut all = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.insert((call, of.to_owned()), Box::new(now.clone()));
        match before.and_then(|before| before.downcast::<T>().ok()) {
            Some(before) if self.fate.is_stale(call) => *before,
            _ => now,
        }
    }
}

pub(crate) async fn call<T, E: MadeUp>(
    fate: &dyn Fate,
    name: &'static str,
    kind: Kind,
    call: impl Future<Output = std::result::Result<T, E>>,
) -> std::result::Result<T, E> {
    fate.border(name).await;
    if fate.fails(name, false) {
        return Err(E::made_up(name));
    }
    let done = call.await;
    fate.border(name).await;
    match kind {
        // The plane has executed the call, but the caller gets an error: as if the process died before the answer.
        Kind::Unknown if done.is_ok() && fate.fails(name, true) => Err(E::made_up(name)),
        _ => done,
    }
}

/// A synchronous call. It can only fail before its execution.
fn call_sync<T>(fate: &dyn Fate, name: &'static str, call: impl FnOnce() -> Result<T>) -> Result<T> {
    if fate.fails(name, false) { Err(PlaneError::made_up(name)) } else { call() }
}

type Result<T> = std::result::Result<T, PlaneError>;

#[async_trait]
impl<P: Network + ?Sized> Network for Risky<P> {
    async fn apply(&self, spec: VpcSpec) -> Result<Applied> {
        call(&*self.fate, "network apply", Kind::Unknown, self.plane.apply(spec)).await
    }
    async fn remove(&self, vpc: &str) -> Result<()> {
        call(&*self.fate, "network remove", Kind::Unknown, self.plane.remove(vpc)).await
    }
    async fn apply_internet(&self, spec: InternetSpec) -> Result<()> {
        call(&*self.fate, "network apply_internet", Kind::Unknown, self.plane.apply_internet(spec)).await
    }
    async fn vpcs(&self) -> Result<BTreeSet<String>> {
        call(&*self.fate, "network vpcs", Kind::Unknown, self.plane.vpcs()).await
    }
    async fn translations(&self, vpc: &str, interface: &str) -> Result<Option<Translations>> {
        call(&*self.fate, "network translations", Kind::Unknown, self.plane.translations(vpc, interface))
            .await
    }
    async fn observe(&self, vpc: &str) -> Result<Option<Observed>> {
        let now = call(&*self.fate, "network observe", Kind::Unknown, self.plane.observe(vpc)).await?;
        Ok(self.perhaps_stale("network observe", vpc, now))
    }
    async fn take_flows(&self, vpc: &str) -> Result<Flows> {
        call(&*self.fate, "network take_flows", Kind::Unknown, self.plane.take_flows(vpc)).await
    }
    async fn answers(&self, vpc: &str, interface: &str, to: SocketAddrV4, within: Duration) -> Result<bool> {
        let answer = self.plane.answers(vpc, interface, to, within);
        call(&*self.fate, "network answers", Kind::Unknown, answer).await
    }
    fn namespace(&self, place: &Place) -> Result<Namespace> {
        call_sync(&*self.fate, "network namespace", || self.plane.namespace(place))
    }
    fn namespace_path(&self, place: &Place) -> PathBuf {
        self.plane.namespace_path(place)
    }
    async fn wipe(&self) -> Result<()> {
        self.plane.wipe().await
    }
}

#[async_trait]
impl<P: Authority + ?Sized> Authority for Risky<P> {
    async fn issue(&self, purpose: Purpose, leaf: Leaf) -> Result<Issued> {
        call(&*self.fate, "authority issue", Kind::Unknown, self.plane.issue(purpose, leaf)).await
    }
    fn root(&self, purpose: Purpose) -> Result<String> {
        call_sync(&*self.fate, "authority root", || self.plane.root(purpose))
    }
}

#[async_trait]
impl<P: Metrics + ?Sized> Metrics for Risky<P> {
    async fn put(&self, data: Vec<Datum>, now: Timestamp) -> Result<()> {
        call(&*self.fate, "metrics put", Kind::Unknown, self.plane.put(data, now)).await
    }
    async fn read(&self, series: &Series, window: Window) -> Result<Vec<Point>> {
        call(&*self.fate, "metrics read", Kind::Nothing, self.plane.read(series, window)).await
    }
    async fn list(&self) -> Result<Vec<Listed>> {
        call(&*self.fate, "metrics list", Kind::Nothing, self.plane.list()).await
    }
}

/// Forwards a plane's observations, possibly delayed, to each follower in a channel of its own. With one channel, tokio would
/// wake its followers in random order, and the same seed would not give the same run.
struct Hub<T> {
    followers: Arc<Mutex<Vec<watch::Sender<T>>>>,
    now: watch::Receiver<T>,
}

impl<T: Clone + Send + Sync + 'static> Hub<T> {
    fn new(fate: &Arc<dyn Fate>, mut of: watch::Receiver<T>) -> Hub<T> {
        let followers: Arc<Mutex<Vec<watch::Sender<T>>>> = Arc::default();
        let hub = Hub { followers: Arc::clone(&followers), now: of.clone() };
        of.mark_unchanged();
        let fate = Arc::clone(fate);
        tokio::spawn(async move {
            while of.changed().await.is_ok() {
                fate.pause().await;
                let now = of.borrow_and_update().clone();
                let mut all = followers.lock().unwrap_or_else(PoisonError::into_inner);
                all.retain(|follower| follower.send(now.clone()).is_ok());
            }
            // The source has ended. Dropping the senders closes the followers' channels.
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

/// The containers plane whose calls can fail, with one hub for all followers.
pub struct RiskyContainers {
    plane: Arc<dyn Containers>,
    fate: Arc<dyn Fate>,
    hub: Hub<Snapshot>,
}

impl RiskyContainers {
    pub fn new(plane: &Arc<dyn Containers>, fate: &Arc<dyn Fate>) -> Arc<RiskyContainers> {
        let hub = Hub::new(fate, plane.changes());
        Arc::new(RiskyContainers { plane: Arc::clone(plane), fate: Arc::clone(fate), hub })
    }

    /// As the plane's own method, which waits on a shared channel instead.
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
        call(&*self.fate, "containers start", Kind::Unknown, self.plane.start(group)).await
    }
    async fn stop(&self, group: &str, reason: &str) -> Result<()> {
        call(&*self.fate, "containers stop", Kind::Unknown, self.plane.stop(group, reason)).await
    }
    async fn halt(&self, within: Duration) -> Result<()> {
        call(&*self.fate, "containers halt", Kind::Unknown, self.plane.halt(within)).await
    }
    async fn remove(&self, group: &str) -> Result<()> {
        call(&*self.fate, "containers remove", Kind::Unknown, self.plane.remove(group)).await
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
        if follow {
            let read = self.follow_logs(group, container, cursor, max_bytes);
            call(&*self.fate, "containers logs", Kind::Unknown, read).await
        } else {
            let read = self.plane.logs(group, container, cursor, max_bytes, false);
            call(&*self.fate, "containers logs", Kind::Unknown, read).await
        }
    }
    async fn tail(
        &self,
        group: &str,
        container: &str,
        lines: usize,
    ) -> Result<Vec<escale_containers::LogLine>> {
        call(&*self.fate, "containers tail", Kind::Unknown, self.plane.tail(group, container, lines)).await
    }
    async fn stats(&self, group: &str) -> Result<Stats> {
        call(&*self.fate, "containers stats", Kind::Unknown, self.plane.stats(group)).await
    }
    async fn exec(
        &self,
        group: &str,
        container: &str,
        argv: &[String],
        timeout: Duration,
    ) -> Result<ExecOutput> {
        call(&*self.fate, "containers exec", Kind::Unknown, self.plane.exec(group, container, argv, timeout))
            .await
    }
    async fn session(&self, group: &str, container: &str, spec: &SessionSpec) -> Result<Session> {
        self.plane.session(group, container, spec).await
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
        call(&*self.fate, "postgres step", Kind::Unknown, self.plane.step(spec)).await
    }
    async fn primary_matches(&self, spec: &DatabaseSpec) -> Result<bool> {
        call(&*self.fate, "postgres primary_matches", Kind::Unknown, self.plane.primary_matches(spec)).await
    }
    async fn observe(&self, name: &str) -> Result<Option<escale_postgres::Observed>> {
        let now = call(&*self.fate, "postgres observe", Kind::Unknown, self.plane.observe(name)).await?;
        Ok(self.perhaps_stale("postgres observe", name, now))
    }
    async fn usage(&self, name: &str) -> Result<Option<escale_postgres::Usage>> {
        call(&*self.fate, "postgres usage", Kind::Unknown, self.plane.usage(name)).await
    }
    async fn list(&self) -> Result<Vec<String>> {
        call(&*self.fate, "postgres list", Kind::Unknown, self.plane.list()).await
    }
    async fn failover(&self, name: &str, away_from: &str) -> Result<Failover> {
        call(&*self.fate, "postgres failover", Kind::Unknown, self.plane.failover(name, away_from)).await
    }
    async fn restart(&self, name: &str, asked_at: Timestamp) -> Result<()> {
        call(&*self.fate, "postgres restart", Kind::Unknown, self.plane.restart(name, asked_at)).await
    }
    async fn snapshot(&self, name: &str, snapshot: &str) -> Result<escale_postgres::Snapshot> {
        call(&*self.fate, "postgres snapshot", Kind::Unknown, self.plane.snapshot(name, snapshot)).await
    }
    async fn snapshots(&self) -> Result<Vec<escale_postgres::Snapshot>> {
        call(&*self.fate, "postgres snapshots", Kind::Unknown, self.plane.snapshots()).await
    }
    async fn delete_snapshot(&self, snapshot: &str) -> Result<()> {
        call(&*self.fate, "postgres delete_snapshot", Kind::Unknown, self.plane.delete_snapshot(snapshot))
            .await
    }
    async fn copy_snapshot(&self, from: &str, to: &str) -> Result<escale_postgres::Snapshot> {
        call(&*self.fate, "postgres copy_snapshot", Kind::Unknown, self.plane.copy_snapshot(from, to)).await
    }
    async fn upgrade(&self, name: &str) -> Result<bool> {
        call(&*self.fate, "postgres upgrade", Kind::Unknown, self.plane.upgrade(name)).await
    }
    async fn log(
        &self,
        name: &str,
        node: &str,
        after: Option<escale_postgres::LogPlace>,
        most_bytes: usize,
    ) -> Result<escale_postgres::LogChunk> {
        self.plane.log(name, node, after, most_bytes).await
    }
    async fn trim(&self, name: &str, oldest_snapshot: Option<&str>) -> Result<()> {
        call(&*self.fate, "postgres trim", Kind::Unknown, self.plane.trim(name, oldest_snapshot)).await
    }
    async fn delete(&self, name: &str, final_snapshot: Option<&str>) -> Result<()> {
        call(&*self.fate, "postgres delete", Kind::Unknown, self.plane.delete(name, final_snapshot)).await
    }
    async fn wipe(&self) -> Result<()> {
        self.plane.wipe().await
    }
}

#[async_trait]
impl<P: Proxies + ?Sized> Proxies for Risky<P> {
    async fn apply(&self, spec: BalancerSpec) -> Result<()> {
        call(&*self.fate, "proxies apply", Kind::Unknown, self.plane.apply(spec)).await
    }
    async fn remove(&self, name: &str) -> Result<()> {
        call(&*self.fate, "proxies remove", Kind::Unknown, self.plane.remove(name)).await
    }
    fn names(&self) -> Vec<String> {
        self.plane.names()
    }
    fn seen(&self, name: &str) -> Option<watch::Receiver<Arc<Seen>>> {
        Some(Hub::new(&self.fate, self.plane.seen(name)?).follow())
    }
    async fn counts(&self, name: &str) -> Result<Option<Vec<NodeCounts>>> {
        self.plane.counts(name).await
    }
    async fn take_log(&self, most: usize) -> Result<Vec<escale_proxy::Visit>> {
        call(&*self.fate, "proxies take_log", Kind::Nothing, self.plane.take_log(most)).await
    }
}

#[async_trait]
impl<P: Cdn + ?Sized> Cdn for Risky<P> {
    async fn apply(&self, spec: escale_cdn::DistributionSpec) -> Result<()> {
        call(&*self.fate, "cdn apply", Kind::Unknown, self.plane.apply(spec)).await
    }
    async fn remove(&self, id: &str) -> Result<()> {
        call(&*self.fate, "cdn remove", Kind::Unknown, self.plane.remove(id)).await
    }
    async fn invalidate(&self, id: &str, paths: &[String]) -> Result<usize> {
        call(&*self.fate, "cdn invalidate", Kind::Unknown, self.plane.invalidate(id, paths)).await
    }
    fn ids(&self) -> Vec<String> {
        self.plane.ids()
    }
    async fn take_log(&self, most: usize) -> Result<Vec<escale_cdn::Visit>> {
        call(&*self.fate, "cdn take_log", Kind::Nothing, self.plane.take_log(most)).await
    }
    async fn counts(&self, id: &str) -> Result<Option<escale_cdn::Counts>> {
        self.plane.counts(id).await
    }
}

#[async_trait]
impl<P: LogStore + ?Sized> LogStore for Risky<P> {
    async fn trim(&self, streams: &[String], most_bytes: u64, note: &str) -> Result<u64> {
        call(&*self.fate, "logs trim", Kind::Unknown, self.plane.trim(streams, most_bytes, note)).await
    }

    async fn append(&self, stream: &str, messages: Vec<Message>, at: Timestamp) -> Result<u64> {
        // Never an error after the append: the caller would rightly retry, and the messages would be there twice.
        call(&*self.fate, "logs append", Kind::Nothing, self.plane.append(stream, messages, at)).await
    }
    async fn read(&self, streams: &[String], query: &Query) -> Result<Page> {
        call(&*self.fate, "logs read", Kind::Unknown, self.plane.read(streams, query)).await
    }
    async fn summaries(&self, streams: &[String]) -> Result<BTreeMap<String, Summary>> {
        call(&*self.fate, "logs summaries", Kind::Unknown, self.plane.summaries(streams)).await
    }
    async fn streams(&self) -> Result<BTreeSet<String>> {
        call(&*self.fate, "logs streams", Kind::Unknown, self.plane.streams()).await
    }
    async fn expire(&self, stream: &str, before: Timestamp) -> Result<u64> {
        call(&*self.fate, "logs expire", Kind::Unknown, self.plane.expire(stream, before)).await
    }
    async fn forget(&self, stream: &str) -> Result<()> {
        call(&*self.fate, "logs forget", Kind::Unknown, self.plane.forget(stream)).await
    }
}

#[async_trait]
impl<P: Dns + ?Sized> Dns for Risky<P> {
    async fn apply(&self, spec: escale_dns::Spec) -> Result<()> {
        call(&*self.fate, "dns apply", Kind::Unknown, self.plane.apply(spec)).await
    }
    fn ask(&self, view: &escale_dns::View, name: &str, kind: escale_dns::Kind) -> Result<escale_dns::Answer> {
        self.plane.ask(view, name, kind)
    }
    async fn serve(&self, server: escale_dns::ServerSpec) -> Result<std::net::SocketAddr> {
        call(&*self.fate, "dns serve", Kind::Unknown, self.plane.serve(server)).await
    }
    async fn stop(&self, name: &str) -> Result<()> {
        call(&*self.fate, "dns stop", Kind::Unknown, self.plane.stop(name)).await
    }
}
