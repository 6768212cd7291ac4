//! The real plane: its distributions, its cache, its listeners.

use crate::{
    Cdn, Connector, Counts, OriginSigner, Visit,
    blob::Directory,
    check::{check, check_invalidation},
    flight::Flights,
    key,
    log::Log,
    marks::Marks,
    origin::Origins,
    serve,
    signed::SignedAccess,
    spec::{Behaviour, DistributionSpec, Identity},
    store::Store,
};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use escale_base::{Clock, PlaneError, error::Context, path::MatchPath};
use escale_httpguard::{Guard, Limits, Link, Stop, Upgrades};
use escale_lanes::{Acceptor, Lanes};
use escale_sockets::Kept;
use escale_tls::{Stream, Terminator, client::Trust};
use hyper::service::service_fn;
use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::net::{TcpListener, TcpStream};

/// The time a viewer has to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// A connection without any traffic for this long is closed. Longer than an origin may take between two bytes of an answer (AWS
/// allows at most 180 s), so that a slow origin gives a 504 and not a broken connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);

pub struct Settings {
    /// Used by this edge alone: deleted and created again when it opens.
    pub directory: PathBuf,
    pub memory_bytes: u64,
    pub disk_bytes: u64,
    pub identity: Identity,
    /// Viewers that named the first port in their request over HTTP are redirected to the second one. Others to HTTPS's own.
    pub https_port: Option<(u16, u16)>,
    /// Of the certificates of origins.
    pub trust: Trust,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Edge {
    pub(crate) inner: Arc<Inner>,
    lanes: Lanes,
}

pub(crate) struct Inner {
    pub(crate) identity: Identity,
    pub(crate) marks: Marks,
    pub(crate) https_port: Option<(u16, u16)>,
    pub(crate) clock: Clock,
    pub(crate) store: Store,
    pub(crate) flights: Arc<Flights>,
    pub(crate) origins: Origins,
    pub(crate) log: Arc<Log>,
    pub(crate) signer: Arc<dyn OriginSigner>,
    table: ArcSwap<Table>,
    /// Held while the table is changed.
    changing: Mutex<()>,
}

#[derive(Default)]
struct Table {
    by_id: BTreeMap<String, Arc<Distribution>>,
    by_host: BTreeMap<String, Arc<Distribution>>,
}

pub(crate) struct Distribution {
    pub(crate) id: Arc<str>,
    pub(crate) spec: DistributionSpec,
    /// The default behaviour is last, under `*`.
    behaviours: Vec<(String, Compiled)>,
    tls: Option<Terminator>,
    pub(crate) counters: Arc<Counters>,
}

pub(crate) struct Compiled {
    pub(crate) behaviour: Behaviour,
    pub(crate) access: Option<SignedAccess>,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) requests: AtomicU64,
    pub(crate) hits: AtomicU64,
    pub(crate) misses: AtomicU64,
    pub(crate) refreshes: AtomicU64,
    pub(crate) origin_requests: AtomicU64,
    pub(crate) s4xx: AtomicU64,
    pub(crate) s5xx: AtomicU64,
    pub(crate) downloaded_bytes: AtomicU64,
}

impl Edge {
    /// Deletes the contents of the directory.
    pub fn open(
        settings: Settings,
        connector: Arc<dyn Connector>,
        signer: Arc<dyn OriginSigner>,
        clock: Clock,
    ) -> Result<Edge, PlaneError> {
        let identity = settings.identity;
        let marks = Marks::new(&identity)?;
        let directory = Directory::open(&settings.directory)
            .machine(|| format!("recreate the cache directory {}", settings.directory.display()))?;
        let inner = Arc::new(Inner {
            identity,
            marks,
            https_port: settings.https_port,
            clock,
            store: Store::new(directory, settings.memory_bytes, settings.disk_bytes),
            flights: Arc::default(),
            origins: Origins::new(connector, settings.trust),
            log: Arc::default(),
            signer,
            table: ArcSwap::default(),
            changing: Mutex::new(()),
        });
        Ok(Edge { inner, lanes: Lanes::none() })
    }

    /// As [`Cdn::counts`], which waits for nothing here.
    pub fn counts(&self, id: &str) -> Option<Counts> {
        let table = self.inner.table.load();
        let c = &table.by_id.get(id)?.counters;
        Some(Counts {
            requests: c.requests.load(Relaxed),
            hits: c.hits.load(Relaxed),
            misses: c.misses.load(Relaxed),
            refreshes: c.refreshes.load(Relaxed),
            origin_requests: c.origin_requests.load(Relaxed),
            s4xx: c.s4xx.load(Relaxed),
            s5xx: c.s5xx.load(Relaxed),
            downloaded_bytes: c.downloaded_bytes.load(Relaxed),
        })
    }

    /// Serves connections on these lanes instead of the runtime of the caller of [`Edge::serve`].
    #[must_use]
    pub fn on(self, lanes: Lanes) -> Edge {
        Edge { lanes, ..self }
    }

    /// Serves `listener` until `stop`. `https` is the viewer's scheme.
    pub async fn serve(&self, listener: impl Into<Kept<TcpListener>>, https: bool, stop: impl Into<Stop>) {
        let stop = stop.into();
        let (edge, stopped) = (self.clone(), stop.clone());
        let serve = move |stream, client| {
            let (edge, stop) = (edge.clone(), stopped.clone());
            async move { edge.connection(stream, client, https, stop).await }
        };
        Acceptor::new(listener).serve(&self.lanes, "edge", stop.accepts_no_more(), serve).await;
    }

    async fn connection(self, stream: TcpStream, client: SocketAddr, https: bool, stop: Stop) {
        let Some(stream) = self.handshake(stream, https, &stop).await else { return };
        let link: Arc<Link> = Arc::default();
        let guard = Guard::new(stream, link.clone(), Arc::new(()), Upgrades::Never, IDLE_TIMEOUT);
        let service = service_fn(move |request| {
            let (edge, link) = (self.inner.clone(), link.clone());
            async move { Ok::<_, Infallible>(serve::handle(edge, request, client, https, &link).await) }
        });
        let limits = Limits { head: Some(HEAD_TIMEOUT), ..Limits::default() };
        escale_httpguard::serve(guard, limits, service, stop).await;
    }
}

impl Edge {
    /// The stream for HTTP. `None`: there is no viewer to answer.
    async fn handshake(&self, stream: TcpStream, https: bool, stop: &Stop) -> Option<Stream> {
        if !https {
            return Some(Stream::Plain(stream));
        }
        let choose = |name: Option<String>| {
            std::future::ready(name.and_then(|name| self.inner.distribution(&name)?.tls.clone()))
        };
        let shaken = tokio::select! {
            shaken = escale_tls::accept_by_name(stream, choose) => shaken,
            () = stop.is_now() => return None,
        };
        shaken.inspect_err(|error| tracing::debug!(%error, "a viewer's TLS handshake failed")).ok()
    }
}

impl Inner {
    /// `host` must be in lower case.
    pub(crate) fn distribution(&self, host: &str) -> Option<Arc<Distribution>> {
        let table = self.table.load();
        let parent = || Some(format!("*.{}", host.split_once('.')?.1));
        table.by_host.get(host).or_else(|| table.by_host.get(&parent()?)).cloned()
    }

    fn change<T>(
        &self,
        change: impl FnOnce(&mut BTreeMap<String, Arc<Distribution>>) -> Result<T, PlaneError>,
    ) -> Result<T, PlaneError> {
        let _changing = self.changing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut by_id = self.table.load().by_id.clone();
        let result = change(&mut by_id)?;
        let mut by_host = BTreeMap::new();
        for distribution in by_id.values() {
            for host in &distribution.spec.hostnames {
                by_host.insert(host.to_ascii_lowercase(), distribution.clone());
            }
        }
        self.table.store(Arc::new(Table { by_id, by_host }));
        Ok(result)
    }
}

impl Distribution {
    fn new(spec: DistributionSpec, counters: Arc<Counters>) -> Result<Distribution, PlaneError> {
        let default = ("*".to_owned(), spec.default.clone());
        let behaviours = spec.behaviours.iter().cloned().chain([default]).map(|(pattern, behaviour)| {
            let access = match &behaviour.trusted_keys[..] {
                [] => None,
                keys => Some(SignedAccess::parse(keys).map_err(PlaneError::asked)?),
            };
            Ok((pattern, Compiled { behaviour, access }))
        });
        let behaviours = behaviours.collect::<Result<_, PlaneError>>()?;
        let tls = spec.tls.as_ref().map(Terminator::new).transpose()?;
        Ok(Distribution { id: spec.id.as_str().into(), behaviours, tls, counters, spec })
    }

    /// A pattern has the same meaning with and without a leading slash.
    pub(crate) fn behaviour(&self, path: &MatchPath) -> Option<&Compiled> {
        let bare = path.as_str().strip_prefix('/').unwrap_or(path.as_str());
        let found =
            self.behaviours.iter().find(|(p, _)| key::matches(p.strip_prefix('/').unwrap_or(p), bare));
        found.map(|(_, compiled)| compiled)
    }
}

#[async_trait]
impl Cdn for Edge {
    async fn apply(&self, spec: DistributionSpec) -> Result<(), PlaneError> {
        check(&spec)?;
        self.inner.change(|all| {
            check_hosts(&spec, all.values().map(|d| &d.spec).filter(|d| d.id != spec.id))?;
            let counters = all.get(&spec.id).map(|d| d.counters.clone()).unwrap_or_default();
            all.insert(spec.id.clone(), Arc::new(Distribution::new(spec, counters)?));
            Ok(())
        })
    }

    async fn remove(&self, id: &str) -> Result<(), PlaneError> {
        self.inner.change(|all| Ok(all.remove(id)))?;
        self.inner.flights.invalidate(&self.inner.store, &id.into(), "/*");
        Ok(())
    }

    async fn invalidate(&self, id: &str, paths: &[String]) -> Result<usize, PlaneError> {
        paths.iter().try_for_each(|p| check_invalidation(p))?;
        let id = self.inner.table.load().by_id.get(id).map(|d| d.id.clone()).ok_or_else(|| no_such(id))?;
        let patterns = paths.iter().map(|path| key::invalidation(path));
        Ok(patterns.map(|pattern| self.inner.flights.invalidate(&self.inner.store, &id, &pattern)).sum())
    }

    async fn take_log(&self, most: usize) -> Result<Vec<Visit>, PlaneError> {
        Ok(self.inner.log.take(most))
    }

    fn ids(&self) -> Vec<String> {
        self.inner.table.load().by_id.keys().cloned().collect()
    }

    async fn counts(&self, id: &str) -> Result<Option<Counts>, PlaneError> {
        Ok(Edge::counts(self, id))
    }
}

pub(crate) fn no_such(id: &str) -> PlaneError {
    PlaneError::asked(format!("distribution '{id}' does not exist; apply it first"))
}

/// A host belongs to one distribution only.
pub(crate) fn check_hosts<'a>(
    spec: &DistributionSpec,
    others: impl Iterator<Item = &'a DistributionSpec>,
) -> Result<(), PlaneError> {
    for other in others {
        if let Some(host) =
            spec.hostnames.iter().find(|h| other.hostnames.iter().any(|o| o.eq_ignore_ascii_case(h)))
        {
            return Err(PlaneError::asked(format!(
                "distribution '{}': host '{host}' already belongs to distribution '{}'",
                spec.id, other.id
            )));
        }
    }
    Ok(())
}
