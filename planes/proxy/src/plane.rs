//! The real plane: changes the running parts of each balancer to match its spec.

use crate::{
    ListenerSeen, NodeCounts, Proxies, Seen, Sockets, TargetSeen, TargetState, Visit,
    compile::check,
    counters::ListenerCounters,
    health::Checker,
    log::Log,
    relay,
    routes::{is_relay, may_send, port, table, used_groups},
    serve::{self, NodeContext},
    spec::{BalancerSpec, GroupSpec, HealthCheck, NodeSpec, TargetSpec},
    sticky::{Jar, Tag},
    table::{Group, Port, Step},
    target::Target,
};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use escale_base::{Clock, PlaneError};
use escale_httpguard::Stop;
use escale_lanes::{Acceptor, Lanes};
use escale_tls::{Terminator, TlsSpec};
use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicUsize},
    time::Duration,
};
use tokio::sync::{Notify, watch};
use tokio_util::task::AbortOnDropHandle;

/// Interval at which idle upstream connections are checked.
const SWEEP: Duration = Duration::from_secs(10);

/// For this long a removed target still gets the requests of connections that were accepted before. They are closed once they
/// are idle.
const LATE: Duration = Duration::from_secs(1);

pub struct Balancers {
    sockets: Arc<dyn Sockets>,
    lanes: Lanes,
    clock: Clock,
    balancers: Mutex<BTreeMap<String, Arc<Balancer>>>,
    log: Arc<Log>,
}

impl Balancers {
    /// Tasks run on the runtime of the caller of `apply`.
    pub fn new(sockets: Arc<dyn Sockets>, clock: Clock) -> Balancers {
        Balancers { sockets, lanes: Lanes::none(), clock, balancers: Mutex::default(), log: Arc::default() }
    }

    /// Serves connections on these lanes; other tasks run on the runtime of the caller of `apply`.
    #[must_use]
    pub fn on(self, lanes: Lanes) -> Balancers {
        Balancers { lanes, ..self }
    }

    /// As [`Proxies::counts`], which waits for nothing here.
    pub fn counts(&self, name: &str) -> Option<Vec<NodeCounts>> {
        self.get(name).map(|b| lock(&b.running).counts())
    }

    /// Closes all listeners, because another process accepts from now on. Open connections are served as before, and their clients
    /// asked to end them ([`Stop::drain`]).
    pub fn drain(&self) {
        for balancer in lock(&self.balancers).values() {
            let running = lock(&balancer.running);
            running.nodes.values().flat_map(|node| node.listeners.values()).for_each(|l| l.stop.drain());
        }
    }

    fn get(&self, name: &str) -> Option<Arc<Balancer>> {
        lock(&self.balancers).get(name).cloned()
    }
}

#[async_trait]
impl Proxies for Balancers {
    async fn apply(&self, spec: BalancerSpec) -> Result<(), PlaneError> {
        check(&spec)?;
        let balancer = lock(&self.balancers)
            .entry(spec.name.clone())
            .or_insert_with(|| {
                let (sockets, lanes, clock) = (self.sockets.clone(), self.lanes.clone(), self.clock.clone());
                Balancer::new(sockets, lanes, clock, self.log.clone())
            })
            .clone();
        balancer.apply(spec)
    }

    async fn remove(&self, name: &str) -> Result<(), PlaneError> {
        if let Some(balancer) = lock(&self.balancers).remove(name) {
            // Dropping the nodes stops their listeners and lets their targets drain.
            lock(&balancer.running).nodes.clear();
        }
        Ok(())
    }

    fn names(&self) -> Vec<String> {
        lock(&self.balancers).keys().cloned().collect()
    }

    fn seen(&self, name: &str) -> Option<watch::Receiver<Arc<Seen>>> {
        self.get(name).map(|b| b.seen.subscribe())
    }

    async fn counts(&self, name: &str) -> Result<Option<Vec<NodeCounts>>, PlaneError> {
        Ok(Balancers::counts(self, name))
    }

    async fn take_log(&self, most: usize) -> Result<Vec<Visit>, PlaneError> {
        Ok(self.log.take(most))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Balancer {
    running: Arc<Mutex<Running>>,
    seen: Arc<watch::Sender<Arc<Seen>>>,
    _watch: AbortOnDropHandle<()>,
}

impl Balancer {
    fn new(sockets: Arc<dyn Sockets>, lanes: Lanes, clock: Clock, log: Arc<Log>) -> Arc<Balancer> {
        let changed = Arc::new(Notify::new());
        let running = Arc::new(Mutex::new(Running {
            spec: BalancerSpec {
                name: String::new(),
                nodes: Vec::new(),
                listeners: Vec::new(),
                groups: Vec::new(),
                attributes: Default::default(),
            },
            nodes: BTreeMap::new(),
            terminators: BTreeMap::new(),
            sockets,
            lanes,
            clock,
            log,
            changed: changed.clone(),
        }));
        let seen = Arc::new(watch::Sender::new(Arc::default()));
        let watch = tokio::spawn(publish(running.clone(), seen.clone(), changed));
        Arc::new(Balancer { running, seen, _watch: AbortOnDropHandle::new(watch) })
    }

    fn apply(&self, spec: BalancerSpec) -> Result<(), PlaneError> {
        let mut running = lock(&self.running);
        running.change_to(spec);
        let seen = running.see();
        // Reported only now: one occupied port must not keep the rest of the spec from being applied.
        let closed = seen.listeners.iter().find_map(|l| Some((l, l.state.as_ref().err()?)));
        let result = match closed {
            None => Ok(()),
            Some((listener, why)) => Err(PlaneError::machine(format!(
                "balancer '{}' cannot listen on port {} of node '{}'; free the port and apply again",
                running.spec.name, listener.port, listener.node
            ))
            .because(why.clone())),
        };
        publish_if_new(&self.seen, seen);
        result
    }
}

async fn publish(running: Arc<Mutex<Running>>, seen: Arc<watch::Sender<Arc<Seen>>>, changed: Arc<Notify>) {
    let mut sweep = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            () = changed.notified() => {
                // Under the lock, so that an older observation never overwrites that of an `apply`.
                let running = lock(&running);
                publish_if_new(&seen, running.see());
            }
            _ = sweep.tick() => {
                let running = lock(&running);
                running.nodes.values().flat_map(|n| n.members.values()).for_each(|m| m.target.sweep());
            }
        }
    }
}

fn publish_if_new(to: &watch::Sender<Arc<Seen>>, seen: Seen) {
    to.send_if_modified(|now| {
        // Most notifications change nothing that is visible; subscribers are woken only for a difference.
        let news = **now != seen;
        if news {
            *now = Arc::new(seen);
        }
        news
    });
}

struct Running {
    spec: BalancerSpec,
    nodes: BTreeMap<String, Node>,
    /// The TLS of listeners, by port. Kept while its spec is the same, so that clients can resume their sessions.
    terminators: BTreeMap<u16, (TlsSpec, Terminator)>,
    sockets: Arc<dyn Sockets>,
    lanes: Lanes,
    clock: Clock,
    log: Arc<Log>,
    changed: Arc<Notify>,
}

struct Node {
    zone: String,
    context: Arc<NodeContext>,
    listeners: BTreeMap<u16, Listening>,
    members: BTreeMap<(String, SocketAddr), Member>,
    turns: BTreeMap<String, Arc<AtomicUsize>>,
}

struct Listening {
    state: Result<SocketAddr, String>,
    is_relay: bool,
    counters: Arc<ListenerCounters>,
    stop: Stop,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stop.now();
    }
}

/// A target of a group, on one node.
struct Member {
    target: Arc<Target>,
    drain_delay: Duration,
    checker: Option<(HealthCheck, AbortOnDropHandle<()>)>,
}

impl Drop for Member {
    fn drop(&mut self) {
        // Dropped from the spec without having drained: requests in progress get the same delay. A request that arrives at
        // this moment, on a connection that was accepted, is in progress, too.
        if !self.target.is_draining() {
            let (target, delay) = (self.target.clone(), self.drain_delay);
            let late = LATE.min(delay);
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(async move {
                    tokio::time::sleep(late).await;
                    target.drain(delay - late).await;
                });
            }
        }
    }
}

impl Running {
    fn change_to(&mut self, spec: BalancerSpec) {
        self.change_tls(&spec);
        self.nodes.retain(|name, _| spec.nodes.iter().any(|n| n.node == *name));
        for wanted in &spec.nodes {
            let node = self.nodes.remove(&wanted.node).unwrap_or_else(|| self.new_node(wanted, &spec));
            let node = self.change_node(node, wanted, &spec);
            self.nodes.insert(wanted.node.clone(), node);
        }
        self.spec = spec;
        self.changed.notify_one();
    }

    fn change_tls(&mut self, spec: &BalancerSpec) {
        let mut old = std::mem::take(&mut self.terminators);
        let with_tls = spec.listeners.iter().filter_map(|l| Some((l.port, l.tls.as_ref()?)));
        let terminators = with_tls.filter_map(|(port, tls)| {
            let kept = old.remove(&port).filter(|(known, _)| known == tls);
            // The spec was checked, so this does not fail.
            let new = || Some((tls.clone(), Terminator::new(tls).ok()?));
            Some((port, kept.or_else(new)?))
        });
        self.terminators = terminators.collect();
    }

    fn new_node(&self, wanted: &NodeSpec, spec: &BalancerSpec) -> Node {
        Node {
            zone: wanted.zone.clone(),
            context: Arc::new(NodeContext {
                balancer: spec.name.clone(),
                name: wanted.node.clone(),
                sockets: self.sockets.clone(),
                lanes: self.lanes.clone(),
                clock: self.clock.clone(),
                table: ArcSwap::from_pointee(table(
                    spec,
                    Arc::new(Jar::new(&spec.attributes.cookies)),
                    HashMap::new(),
                )),
                log: self.log.clone(),
            }),
            listeners: BTreeMap::new(),
            members: BTreeMap::new(),
            turns: BTreeMap::new(),
        }
    }

    /// Targets first, then the table that refers to them, then the listeners that use the table.
    fn change_node(&self, mut node: Node, wanted: &NodeSpec, spec: &BalancerSpec) -> Node {
        node.zone.clone_from(&wanted.zone);
        let used = used_groups(spec);
        let jar = Arc::new(Jar::new(&spec.attributes.cookies));
        let mut members = BTreeMap::new();
        let mut groups = HashMap::new();
        for group in &spec.groups {
            let mut targets = Vec::new();
            for target in group.targets.iter().filter(|t| may_send(spec, group, t, &node.zone)) {
                let key = (group.name.clone(), target.addr);
                let old = node.members.remove(&key);
                let tag = jar.tag_of_target(&group.name, target.addr);
                let member =
                    self.member(old, &node, (group, tag), target, used.contains(group.name.as_str()));
                if !target.draining {
                    targets.push(member.target.clone());
                }
                members.insert(key, member);
            }
            let turn = node.turns.entry(group.name.clone()).or_default().clone();
            let compiled = Group {
                algorithm: group.algorithm,
                slow_start: (group.slow_start_ms > 0).then(|| Duration::from_millis(group.slow_start_ms)),
                sticky: group.sticky.clone(),
                tag: jar.tag_of_group(&group.name),
                targets,
                turn,
            };
            groups.insert(group.name.as_str(), Arc::new(compiled));
        }
        node.turns.retain(|name, _| groups.contains_key(name.as_str()));

        // A listener that failed to open is dropped here and tried again below, and so is one of the other protocol.
        node.listeners.retain(|port, l| {
            let wanted = spec.listeners.iter().find(|s| s.port == *port);
            l.state.is_ok() && wanted.is_some_and(|s| is_relay(&s.default) == l.is_relay)
        });
        let ports = spec.listeners.iter().map(|l| {
            let counters = node.listeners.get(&l.port).map(|l| l.counters.clone()).unwrap_or_default();
            let tls = self.terminators.get(&l.port).map(|(_, terminator)| terminator.clone());
            (l.port, port(l, &groups, tls, counters))
        });
        let table = table(spec, jar, ports.collect());
        let is_relay = |port: &Port| matches!(port.default, Step::Relay(..));
        let ports: Vec<_> = table.ports.iter().map(|(p, c)| (*p, is_relay(c), c.counters.clone())).collect();
        node.context.table.store(Arc::new(table));
        // Only now: removed targets must no longer be in the table when they begin to drain.
        node.members = members;
        for (port, is_relay, counters) in ports {
            node.listeners.entry(port).or_insert_with(|| open(&node.context, port, is_relay, counters));
        }
        node
    }

    fn member(
        &self,
        old: Option<Member>,
        node: &Node,
        (group, tag): (&GroupSpec, Tag),
        spec: &TargetSpec,
        used: bool,
    ) -> Member {
        let drain_delay = Duration::from_millis(group.drain_delay_ms);
        // A draining target does not return; when it is registered again it starts as a new one.
        let is_same = |target: &Target| target.transport == group.transport && target.tag == tag;
        let old = old.filter(|m| is_same(&m.target) && (spec.draining || !m.target.is_draining()));
        let mut member = old.unwrap_or_else(|| Member {
            target: Target::new(&group.name, spec.addr, group.transport, tag),
            drain_delay,
            checker: None,
        });
        // The newest spec's delay applies, also if the target was registered under another one.
        member.drain_delay = drain_delay;
        let target = &member.target;
        if spec.draining {
            member.checker = None;
            if !target.is_draining() {
                target.set_state(TargetState::Draining);
                target.begin_drain();
                let (target, changed) = (target.clone(), self.changed.clone());
                tokio::spawn(async move {
                    target.drain(drain_delay).await;
                    target.set_state(TargetState::Drained);
                    changed.notify_one();
                });
            }
        } else if !used {
            member.checker = None;
            target.set_state(TargetState::Unused);
        } else if member.checker.as_ref().is_none_or(|(check, _)| *check != group.health) {
            if target.state() == TargetState::Unused {
                target.set_state(TargetState::Initial(None));
            }
            let checker = Checker {
                sockets: self.sockets.clone(),
                node: node.context.name.clone(),
                target: target.clone(),
                check: group.health.clone(),
                changed: self.changed.clone(),
            };
            let task = AbortOnDropHandle::new(tokio::spawn(checker.run()));
            member.checker = Some((group.health.clone(), task));
        }
        member
    }

    fn see(&self) -> Seen {
        let mut seen = Seen::default();
        for (name, node) in &self.nodes {
            seen.listeners.extend(node.listeners.iter().map(|(port, listening)| ListenerSeen {
                node: name.clone(),
                port: *port,
                state: listening.state.clone(),
            }));
        }
        for group in &self.spec.groups {
            for target in &group.targets {
                let key = (group.name.clone(), target.addr);
                let nodes: Vec<(String, TargetState)> = self
                    .nodes
                    .iter()
                    .filter_map(|(name, n)| Some((name.clone(), n.members.get(&key)?.target.state())))
                    .collect();
                let state = over_all(nodes.iter().map(|(_, state)| state));
                seen.targets.push(TargetSeen { group: key.0, addr: target.addr, state, nodes });
            }
        }
        seen
    }

    fn counts(&self) -> Vec<NodeCounts> {
        self.nodes
            .iter()
            .map(|(name, node)| NodeCounts {
                node: name.clone(),
                zone: node.zone.clone(),
                listeners: node.listeners.iter().map(|(port, l)| l.counters.read(*port)).collect(),
                targets: node.members.values().map(|m| m.target.count()).collect(),
            })
            .collect()
    }
}

/// Combines the states on all nodes into one: the best that a client can expect.
fn over_all<'a>(states: impl Iterator<Item = &'a TargetState>) -> TargetState {
    let rank = |state: &&TargetState| match state {
        TargetState::Healthy => 0,
        // Before the state without a reason: the reason is what the user needs to see.
        TargetState::Initial(Some(_)) => 1,
        TargetState::Initial(None) => 2,
        TargetState::Draining => 3,
        TargetState::Unhealthy(_) => 4,
        TargetState::Unused | TargetState::Drained => 5,
    };
    states.min_by_key(rank).cloned().unwrap_or(TargetState::Unused)
}

fn open(context: &Arc<NodeContext>, port: u16, is_relay: bool, counters: Arc<ListenerCounters>) -> Listening {
    let opened = context
        .sockets
        .listen(&context.name, port)
        .and_then(|listener| Ok((listener.local_addr()?, Acceptor::new(listener))))
        .map_err(|e| e.to_string());
    let stop = Stop::default();
    let state = match opened {
        Err(why) => Err(why),
        Ok((addr, acceptor)) => {
            let (context, counters, stopped) = (context.clone(), counters.clone(), stop.clone());
            if is_relay {
                tokio::spawn(relay::accept(context, port, acceptor, counters, stopped));
            } else {
                tokio::spawn(serve::accept(context, port, (acceptor, addr.port()), counters, stopped));
            }
            Ok(addr)
        }
    };
    Listening { state, is_relay, counters, stop }
}
