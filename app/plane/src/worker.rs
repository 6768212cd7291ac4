//! The worker: the real planes, and all specs that they were given.

use crate::{
    keys::Daemon,
    message::{Answer, OriginKeys, Request, State},
    snapshot::Snapshot,
};
use escale_base::{
    PlaneError,
    error::{Context as _, Fault},
};
use escale_cdn::{Cdn, Edge};
use escale_dns::{Dns, DnsPlane, ServerSpec};
use escale_httpguard::Stop;
use escale_network::{Egress, EgressSpec, HostWeb, LoopbackWeb, Namespaces, Outside, Place};
use escale_proxy::{Balancers, Proxies, Seen};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{sync::Mutex, task::JoinHandle, time::sleep};

/// Pauses between attempts to apply what failed when the worker started.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The planes of a worker.
pub struct Parts {
    pub proxies: Arc<Balancers>,
    pub edge: Edge,
    pub dns: DnsPlane,
    pub web: LoopbackWeb,
    pub namespaces: Namespaces,
    /// The edge's way to origins outside. It gets the spec of egress.
    pub outside: Outside,
    pub daemon: Daemon,
    /// The settings that the worker has read and that no message changes.
    pub settings: String,
}

pub(crate) struct Worker {
    pub(crate) parts: Parts,
    /// Locked while anything changes, so that the snapshot never mixes two changes.
    pub(crate) state: Mutex<State>,
    viewers: Mutex<BTreeMap<SocketAddr, (Stop, JoinHandle<()>)>>,
    egress: Mutex<Option<(EgressSpec, Egress)>>,
    snapshot: Snapshot,
    is_repairing: AtomicBool,
}

impl Worker {
    /// Applies the last specs. Parts that fail are tried again in the background.
    pub(crate) async fn start(parts: Parts, snapshot: Snapshot) -> Arc<Worker> {
        let state = snapshot.read().unwrap_or_else(|error| {
            tracing::error!(%error, "cannot read the last specs, so the data plane starts empty");
            State::default()
        });
        let worker = Arc::new(Worker {
            parts,
            state: Mutex::new(state.clone()),
            viewers: Mutex::default(),
            egress: Mutex::default(),
            snapshot,
            is_repairing: AtomicBool::new(false),
        });
        // Known before the first request: it waits for the daemon instead of failing.
        worker.parts.daemon.knows(state.hosts.clone());
        if let Err(error) = worker.add(state, BTreeMap::new()).await {
            tracing::warn!(%error, "the data plane cannot serve everything yet");
            worker.repair();
        }
        worker
    }

    pub(crate) async fn perform(self: &Arc<Worker>, request: Request) -> Result<Answer, PlaneError> {
        let Parts { proxies, edge, .. } = &self.parts;
        match request {
            Request::CountBalancer(name) => Ok(Answer::Balancer(proxies.counts(&name))),
            Request::TakeBalancerLog(most) => Ok(Answer::BalancerLog(proxies.take_log(most).await?)),
            Request::CountDistribution(id) => Ok(Answer::Distribution(edge.counts(&id))),
            Request::TakeLog(most) => Ok(Answer::Log(edge.take_log(most).await?)),
            Request::Invalidate { id, paths } => Ok(Answer::Dropped(edge.invalidate(&id, &paths).await?)),
            Request::Add(state, keys) => {
                let added = self.add(*state, keys).await;
                if added.is_err() {
                    self.repair();
                }
                added.map(|()| Answer::Done)
            }
            change => {
                let mut state = self.state.lock().await;
                let changed = self.change(&mut state, change).await;
                self.store(&state);
                changed
            }
        }
    }

    pub(crate) fn seen(&self, name: &str) -> Option<Seen> {
        Some(Seen::clone(&self.parts.proxies.seen(name)?.borrow()))
    }

    /// Closes all listeners, and returns what was served. Open connections are served until this process ends, and their clients asked
    /// to end them before.
    pub(crate) async fn close(&self) -> State {
        let mut state = self.state.lock().await;
        // In the direction of requests: what accepts one first closes before what it is passed to.
        self.parts.web.close().await;
        for (_, (stop, serving)) in std::mem::take(&mut *self.viewers.lock().await) {
            stop.drain();
            // It can only end by the token.
            let _ = serving.await;
        }
        self.parts.proxies.drain();
        for name in self.parts.dns.servers().await {
            if let Err(error) = self.parts.dns.stop(&name).await {
                tracing::warn!(name, %error, "cannot stop a DNS server");
            }
        }
        if let Some((_, egress)) = self.egress.lock().await.take() {
            egress.stop().await;
        }
        // If this process dies now, the one that its supervisor starts must serve nothing.
        self.store(&State::default());
        // Once: a client that asks again must not get specs that the next process has changed since.
        std::mem::take(&mut *state)
    }

    /// Applies everything and removes nothing. Returns the first error after everything else was done.
    async fn add(&self, more: State, keys: BTreeMap<String, OriginKeys>) -> Result<(), PlaneError> {
        let mut state = self.state.lock().await;
        self.add_to(&mut state, more, keys).await
    }

    async fn add_to(
        &self,
        state: &mut State,
        more: State,
        mut keys: BTreeMap<String, OriginKeys>,
    ) -> Result<(), PlaneError> {
        let State { names, servers, balancers, distributions, viewers, web, egress, hosts: _ } = more;
        let mut requests: Vec<Request> = Vec::new();
        requests.extend(names.map(Request::ApplyNames));
        requests.extend(servers.into_values().map(Request::Serve));
        requests.extend(balancers.into_values().map(|spec| Request::ApplyBalancer(Box::new(spec))));
        requests.extend(distributions.into_values().map(|spec| {
            let keys = keys.remove(&spec.id).unwrap_or_default();
            Request::ApplyDistribution(Box::new(spec), keys)
        }));
        let viewers = viewers.into_iter();
        requests.extend(viewers.map(|(address, https)| Request::ServeViewers { address, https }));
        requests.extend(web.map(Request::ApplyWeb));
        requests.extend(egress.map(|spec| Request::ApplyEgress(Some(spec))));
        let mut first = Ok(());
        for request in requests {
            let changed = self.change(state, request).await;
            first = first.and(changed.map(drop));
        }
        self.store(state);
        first
    }

    /// Applies one change, and notes it in `state` unless the spec itself is refused: what fails for another reason can succeed
    /// later.
    async fn change(&self, state: &mut State, request: Request) -> Result<Answer, PlaneError> {
        let Parts { proxies, edge, dns, web, daemon, .. } = &self.parts;
        match request {
            Request::ApplyBalancer(spec) => {
                let applied = proxies.apply((*spec).clone()).await;
                if is_kept(&applied) {
                    state.balancers.insert(spec.name.clone(), *spec);
                }
                applied?;
            }
            Request::RemoveBalancer(name) => {
                proxies.remove(&name).await?;
                state.balancers.remove(&name);
            }
            Request::ApplyDistribution(spec, keys) => {
                daemon.set_keys(&spec.id, keys);
                let applied = edge.apply((*spec).clone()).await;
                if is_kept(&applied) {
                    state.distributions.insert(spec.id.clone(), *spec);
                }
                applied?;
            }
            Request::RemoveDistribution(id) => {
                daemon.remove_keys(&id);
                edge.remove(&id).await?;
                state.distributions.remove(&id);
            }
            Request::ApplyNames(spec) => {
                dns.load(spec.clone())?;
                state.names = Some(spec);
            }
            Request::Serve(server) => {
                let serving = dns.serve(server.clone()).await;
                if is_kept(&serving) {
                    // With its actual port, which the next worker must keep.
                    let address = *serving.as_ref().unwrap_or(&server.address);
                    state.servers.insert(server.name.clone(), ServerSpec { address, ..server });
                }
                return Ok(Answer::Listens(serving?));
            }
            Request::StopServer(name) => {
                dns.stop(&name).await?;
                state.servers.remove(&name);
            }
            Request::ApplyWeb(spec) => {
                let applied = web.apply(spec.clone()).await;
                if is_kept(&applied) {
                    state.web = Some(spec);
                }
                applied?;
            }
            Request::ServeViewers { address, https } => {
                state.viewers.insert(address, https);
                self.serve_viewers(address, https).await?;
            }
            Request::ApplyEgress(spec) => {
                state.egress.clone_from(&spec);
                self.apply_egress(spec).await?;
            }
            Request::DaemonServes(hosts) => {
                state.hosts.clone_from(&hosts);
                daemon.serves(hosts);
            }
            // The others are answered before.
            _ => return Err(PlaneError::plane("this request changes no spec")),
        }
        Ok(Answer::Done)
    }

    async fn serve_viewers(&self, address: SocketAddr, https: bool) -> Result<(), PlaneError> {
        let mut viewers = self.viewers.lock().await;
        if viewers.contains_key(&address) {
            return Ok(());
        }
        let listener = self.parts.namespaces.open(&Place::Internet)?.keep_tcp(address);
        let listener = listener.machine(|| format!("listen for viewers on {address}"))?;
        let (edge, stop) = (self.parts.edge.clone(), Stop::default());
        let stopping = stop.clone();
        let serving = tokio::spawn(async move { edge.serve(listener, https, stopping).await });
        viewers.insert(address, (stop, serving));
        Ok(())
    }

    async fn apply_egress(&self, spec: Option<EgressSpec>) -> Result<(), PlaneError> {
        self.parts.outside.set(spec.clone());
        let mut egress = self.egress.lock().await;
        if egress.as_ref().map(|(now, _)| now) == spec.as_ref() && spec.is_some() {
            return Ok(());
        }
        if let Some((_, old)) = egress.take() {
            old.stop().await;
        }
        let internet = self.parts.namespaces.open(&Place::Internet)?;
        match spec {
            Some(spec) => *egress = Some((spec.clone(), Egress::open(internet, spec).await?)),
            None => Egress::close(&internet).await?,
        }
        Ok(())
    }

    fn store(&self, state: &State) {
        if let Err(error) = self.snapshot.write(state) {
            tracing::error!(%error, "cannot keep the specs for the next worker; the daemon would have to send them again");
        }
    }

    /// Applies the specs again until all of them succeed.
    fn repair(self: &Arc<Worker>) {
        if self.is_repairing.swap(true, SeqCst) {
            return;
        }
        let worker = Arc::clone(self);
        tokio::spawn(async move {
            let mut pause = FIRST_PAUSE;
            loop {
                // There is no event when another process closes a socket.
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                match worker.again().await {
                    Ok(()) => break,
                    Err(error) => tracing::warn!(%error, "the data plane still cannot serve everything"),
                }
            }
            worker.is_repairing.store(false, SeqCst);
        });
    }

    /// Applies what can fail for a while: sockets. A distribution is in memory only, and has a key that is not in the state.
    async fn again(&self) -> Result<(), PlaneError> {
        let mut state = self.state.lock().await;
        let more = State { distributions: BTreeMap::new(), ..state.clone() };
        self.add_to(&mut state, more, BTreeMap::new()).await
    }
}

fn is_kept<T>(result: &Result<T, PlaneError>) -> bool {
    !matches!(result, Err(error) if error.fault == Fault::Asked)
}
