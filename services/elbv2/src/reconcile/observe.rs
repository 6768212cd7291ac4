//! Records the health of targets and nodes that the plane observes.

use escale_base::{Clock, Timestamp};
use escale_proxy::{self as proxy, Reason, TargetState};
use escale_store::{Store, StoreError, Tx};
use escale_tables::{
    ec2::InterfaceId,
    elbv2::{LoadBalancer, LoadBalancerArn, NodeFault, Target, TargetHealth, TargetSeen},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};
use tokio::sync::watch;

/// The pause after a failed write, so that a full disk does not cause a busy loop.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs until the balancer is removed. Changes during a write are recorded together by the next one.
pub(super) async fn follow(
    store: Store,
    clock: Clock,
    arn: LoadBalancerArn,
    mut seen: watch::Receiver<Arc<proxy::Seen>>,
) {
    loop {
        let now = Arc::clone(&seen.borrow_and_update());
        while let Err(error) = write(&store, clock.now(), &arn, &now) {
            tracing::error!(%error, "cannot record the health of targets; trying again in a second");
            tokio::time::sleep(PAUSE).await;
        }
        if seen.changed().await.is_err() {
            return;
        }
    }
}

fn write(store: &Store, at: Timestamp, arn: &LoadBalancerArn, seen: &proxy::Seen) -> Result<(), StoreError> {
    let image = store.read();
    let faults = faults(arn, seen);
    let is_of = |fault: &Arc<NodeFault>| fault.load_balancer == *arn;
    let known: BTreeMap<_, _> =
        image.scan::<NodeFault>().filter(is_of).map(|f| (f.interface.clone(), (*f).clone())).collect();
    let news = seen.targets.iter().any(|t| {
        let Some(key) = key(t) else { return false };
        let drained = t.state == TargetState::Drained && image.has::<Target>(&key);
        drained || image.get::<TargetSeen>(&key).map(|r| r.health.clone()) != health(&t.state)
    });
    if !news && known == faults {
        return Ok(());
    }
    store.write(|tx| {
        seen.targets.iter().for_each(|t| one(tx, at, t));
        for interface in known.keys().filter(|interface| !faults.contains_key(*interface)) {
            tx.delete::<NodeFault>(interface.as_str());
        }
        // Without its load balancer, nothing would delete the row again.
        if tx.has::<LoadBalancer>(arn.as_str()) {
            faults.into_values().for_each(|fault| tx.put(fault));
        }
        Ok(())
    })
}

/// The faults of the nodes, by interface.
fn faults(arn: &LoadBalancerArn, seen: &proxy::Seen) -> BTreeMap<InterfaceId, NodeFault> {
    let mut faults = BTreeMap::new();
    let mut fault_of = |node: &str, add: &dyn Fn(&mut NodeFault)| {
        // The name has the form `<vpc>/<interface>`.
        let interface: InterfaceId = node.rsplit('/').next().unwrap_or(node).into();
        add(faults.entry(interface.clone()).or_insert_with(|| NodeFault {
            interface,
            load_balancer: arn.clone(),
            without_targets: BTreeSet::new(),
            is_closed: false,
        }));
    };
    for listener in seen.listeners.iter().filter(|l| l.state.is_err()) {
        fault_of(&listener.node, &|fault| fault.is_closed = true);
    }
    // By node and group: whether a target is healthy, and whether one is unhealthy.
    let mut health: BTreeMap<(&str, &str), (bool, bool)> = BTreeMap::new();
    for target in &seen.targets {
        for (node, state) in &target.nodes {
            let (healthy, unhealthy) = health.entry((node, &target.group)).or_default();
            *healthy |= *state == TargetState::Healthy;
            *unhealthy |= matches!(state, TargetState::Unhealthy(_));
        }
    }
    for ((node, group), _) in health.into_iter().filter(|(_, health)| *health == (false, true)) {
        fault_of(node, &|fault| _ = fault.without_targets.insert(group.into()));
    }
    faults
}

fn one(tx: &mut Tx, at: Timestamp, seen: &proxy::TargetSeen) {
    let (Some(key), SocketAddr::V4(addr)) = (key(seen), seen.addr) else { return };
    let Some(target) = tx.get::<Target>(&key) else {
        // The target was deleted meanwhile. The reconciler removes it from the plane.
        tx.delete::<TargetSeen>(&key);
        return;
    };
    match health(&seen.state) {
        Some(health) => {
            if tx.get::<TargetSeen>(&key).is_none_or(|r| r.health != health) {
                let (ip, port) = (*addr.ip(), addr.port());
                tx.put(TargetSeen { group: seen.group.clone().into(), ip, port, health, at });
            }
        }
        None => {
            tx.delete::<TargetSeen>(&key);
            // If it is no longer draining, it was registered again, and the plane does not know that yet.
            if target.draining.is_some() {
                tx.delete::<Target>(&key);
            }
        }
    }
}

fn key(seen: &proxy::TargetSeen) -> Option<String> {
    match seen.addr {
        SocketAddr::V4(addr) => Some(Target::key_of(&seen.group, *addr.ip(), addr.port())),
        SocketAddr::V6(_) => None,
    }
}

/// `None` if the target is drained: it has no open requests.
fn health(state: &TargetState) -> Option<TargetHealth> {
    Some(match state {
        TargetState::Unused => TargetHealth::Unused,
        TargetState::Initial(None) => TargetHealth::Initial,
        TargetState::Initial(Some(reason)) => TargetHealth::InitialFailing(Box::new(failed(reason))),
        TargetState::Healthy => TargetHealth::Healthy,
        TargetState::Unhealthy(reason) => failed(reason),
        TargetState::Draining => TargetHealth::Draining,
        TargetState::Drained => return None,
    })
}

fn failed(reason: &Reason) -> TargetHealth {
    match reason {
        Reason::Timeout => TargetHealth::TimedOut,
        Reason::FailedCode(status) => TargetHealth::WrongStatus(*status),
        Reason::ConnectionRefused => TargetHealth::Refused,
        Reason::BadAnswer => TargetHealth::NotHttp,
        Reason::Unreachable(why) => TargetHealth::Unreachable(why.clone()),
    }
}
