//! The plane for simulations: no sockets; the test sets the health of targets.

use crate::{
    ListenerSeen, NodeCounts, Proxies, Seen, TargetSeen, TargetState, Visit,
    compile::check,
    spec::{Action, BalancerSpec},
};
use async_trait::async_trait;
use escale_base::PlaneError;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// Every target in use is healthy, and every draining one has drained, unless the test sets another state.
#[derive(Default)]
pub struct FakeProxies(Mutex<State>);

#[derive(Default)]
struct State {
    balancers: BTreeMap<String, (BalancerSpec, watch::Sender<Arc<Seen>>)>,
    states: BTreeMap<SocketAddr, TargetState>,
    fail_next: Option<PlaneError>,
}

impl FakeProxies {
    /// Sets the state of the target at `addr` for every balancer from now on, for example to make it fail.
    pub fn set_target(&self, addr: SocketAddr, state: TargetState) {
        let mut all = self.lock();
        all.states.insert(addr, state);
        let State { balancers, states, .. } = &*all;
        for (spec, seen) in balancers.values() {
            seen.send_replace(Arc::new(see(spec, states)));
        }
    }

    /// The next `apply` changes nothing and returns this error.
    pub fn fail_next(&self, error: PlaneError) {
        self.lock().fail_next = Some(error);
    }

    /// The last applied spec.
    pub fn spec(&self, name: &str) -> Option<BalancerSpec> {
        self.lock().balancers.get(name).map(|(spec, _)| spec.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Proxies for FakeProxies {
    async fn apply(&self, spec: BalancerSpec) -> Result<(), PlaneError> {
        check(&spec)?;
        let mut all = self.lock();
        if let Some(error) = all.fail_next.take() {
            return Err(error);
        }
        let seen = Arc::new(see(&spec, &all.states));
        let (now, channel) = all
            .balancers
            .entry(spec.name.clone())
            .or_insert_with(|| (spec.clone(), watch::Sender::new(Arc::default())));
        *now = spec;
        channel.send_replace(seen);
        Ok(())
    }

    async fn remove(&self, name: &str) -> Result<(), PlaneError> {
        self.lock().balancers.remove(name);
        Ok(())
    }

    fn names(&self) -> Vec<String> {
        self.lock().balancers.keys().cloned().collect()
    }

    fn seen(&self, name: &str) -> Option<watch::Receiver<Arc<Seen>>> {
        self.lock().balancers.get(name).map(|(_, seen)| seen.subscribe())
    }

    /// There are no requests, so the counters stay at zero.
    async fn counts(&self, name: &str) -> Result<Option<Vec<NodeCounts>>, PlaneError> {
        let all = self.lock();
        let Some((spec, _)) = all.balancers.get(name) else { return Ok(None) };
        let empty = |n: &crate::spec::NodeSpec| NodeCounts {
            node: n.node.clone(),
            zone: n.zone.clone(),
            listeners: Vec::new(),
            targets: Vec::new(),
        };
        Ok(Some(spec.nodes.iter().map(empty).collect()))
    }

    /// There are no requests.
    async fn take_log(&self, _most: usize) -> Result<Vec<Visit>, PlaneError> {
        Ok(Vec::new())
    }
}

fn see(spec: &BalancerSpec, states: &BTreeMap<SocketAddr, TargetState>) -> Seen {
    let mut seen = Seen::default();
    for node in &spec.nodes {
        for listener in &spec.listeners {
            let state = Ok(SocketAddr::from(([127, 0, 0, 1], listener.port)));
            seen.listeners.push(ListenerSeen { node: node.node.clone(), port: listener.port, state });
        }
    }
    for group in &spec.groups {
        let used = spec.listeners.iter().any(|l| {
            let mut actions = l.rules.iter().map(|r| &r.action).chain([&l.default]);
            actions.any(|action| match action {
                Action::Forward(to) => to.groups.iter().any(|w| w.group == group.name),
                Action::Relay(relay) => relay.group == group.name,
                Action::Redirect(_) | Action::Fixed(_) => false,
            })
        });
        for target in &group.targets {
            let state = match (target.draining, used) {
                (true, _) => TargetState::Drained,
                (false, false) => TargetState::Unused,
                (false, true) => states.get(&target.addr).cloned().unwrap_or(TargetState::Healthy),
            };
            let reaches = |zone: &str| match &target.zone {
                Some(own) if group.cross_zone => spec.nodes.iter().any(|n| n.zone == *own),
                Some(own) => own == zone,
                None => true,
            };
            let nodes: Vec<(String, TargetState)> = spec
                .nodes
                .iter()
                .filter(|n| reaches(&n.zone))
                .map(|n| (n.node.clone(), state.clone()))
                .collect();
            let state = if nodes.is_empty() { TargetState::Unused } else { state };
            seen.targets.push(TargetSeen { group: group.name.clone(), addr: target.addr, state, nodes });
        }
    }
    seen
}
