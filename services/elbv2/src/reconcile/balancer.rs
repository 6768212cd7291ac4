//! Configures the proxy plane for each load balancer according to its rows.

use super::{observe, spec};
use crate::{network, nodes, rules};
use escale_base::{Clock, PlaneError, Timestamp};
use escale_engine::{Plan, Reconciler, StepError};
use escale_proxy::{BalancerSpec, Proxies};
use escale_store::{Change, Image, Store, StoreError, Tx};
use escale_tables::Fingerprint;
use escale_tables::{
    ec2::InterfaceSeen,
    elbv2::{BalancerSeen, ListenerTls, LoadBalancer, LoadBalancerName, Node, NodeFault, SeenFault},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio_util::task::AbortOnDropHandle;

/// A step of the reconciler.
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    Apply {
        spec: Box<BalancerSpec>,
        fingerprint: String,
    },
    /// Gives DNS other nodes, because the health of targets has changed.
    Publish,
    Remove,
}

pub(crate) struct Balancers {
    store: Store,
    clock: Clock,
    proxies: Arc<dyn Proxies>,
    /// The tasks that record target health, by the balancer's ARN.
    observers: Mutex<BTreeMap<String, AbortOnDropHandle<()>>>,
}

impl Balancers {
    pub(crate) fn new(store: Store, clock: Clock, proxies: Arc<dyn Proxies>) -> Balancers {
        Balancers { store, clock, proxies, observers: Mutex::default() }
    }

    fn observers(&self) -> MutexGuard<'_, BTreeMap<String, AbortOnDropHandle<()>>> {
        self.observers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the task that records target health, unless it is running.
    fn observe(&self, arn: &str) {
        let mut observers = self.observers();
        if observers.get(arn).is_some_and(|o| !o.is_finished()) {
            return;
        }
        if let Some(seen) = self.proxies.seen(arn) {
            let task = observe::follow(self.store.clone(), self.clock.clone(), arn.into(), seen);
            observers.insert(arn.to_owned(), AbortOnDropHandle::new(tokio::spawn(task)));
        }
    }

    /// Records the result. After an error `applied` keeps its value: the plane still serves the previous specification.
    /// `served` are the names of the specification's nodes.
    fn record(
        &self,
        arn: &str,
        served: &[String],
        result: Result<String, &PlaneError>,
    ) -> Result<(), StoreError> {
        let at = self.clock.now();
        self.store.write(|tx| {
            let before = tx.get::<BalancerSeen>(arn).and_then(|s| s.applied.clone());
            if result.is_ok() {
                publish(tx, arn, served);
            }
            let (applied, fault) = match result {
                Ok(fingerprint) => (Some(Fingerprint(fingerprint)), None),
                Err(e) => (before, Some(SeenFault { what: e.to_string(), retry: e.retry })),
            };
            tx.put(BalancerSeen { arn: arn.into(), applied, fault, at });
            Ok(())
        })
    }
}

impl Reconciler for Balancers {
    type Step = Step;
    const NAME: &'static str = "elbv2-balancer";
    // Without elbv2_balancer_seen: only `act` writes it, and recording a failure must not trigger the retry at once.
    const WATCHES: &'static [&'static str] = &[
        "elbv2_load_balancer",
        "elbv2_listener",
        "elbv2_listener_tls",
        "acm_certificate",
        "acm_certificate_seen",
        "elbv2_rule",
        "elbv2_target_group",
        "elbv2_target",
        "elbv2_target_seen",
        "elbv2_node_fault",
        "ec2_interface_seen",
    ];

    fn concerned(&self, image: &Image, change: &Change) -> BTreeSet<String> {
        // From the key alone where possible: the changed row may be deleted already.
        match change.table {
            "elbv2_load_balancer" => BTreeSet::from([change.key.clone()]),
            // The key of a listener's TLS is the listener's.
            "elbv2_listener" | "elbv2_listener_tls" => owner(&change.key, ":listener/", 1),
            "elbv2_rule" => owner(&change.key, ":listener-rule/", 2),
            // An import or a renewal. A deleted certificate was in no listener.
            "acm_certificate" | "acm_certificate_seen" => {
                let with = image
                    .scan::<ListenerTls>()
                    .filter(|tls| tls.certificates.iter().any(|c| *c == *change.key));
                with.map(|tls| tls.load_balancer.to_string()).collect()
            }
            "elbv2_target_group" => rules::balancers_of(image, &change.key),
            "elbv2_target" | "elbv2_target_seen" => {
                let group = change.key.rsplit_once('/').map_or("", |(group, _)| group);
                rules::balancers_of(image, group)
            }
            _ => image
                .scan::<LoadBalancer>()
                .filter(|b| b.nodes.iter().any(|n| n.interface.as_str() == change.key))
                .map(|b| b.arn.to_string())
                .collect(),
        }
    }

    fn all(&self, image: &Image) -> BTreeSet<String> {
        // The plane may serve a load balancer that was deleted while no daemon ran.
        let served = image.scan::<BalancerSeen>().map(|seen| seen.arn.to_string());
        image.scan::<LoadBalancer>().map(|b| b.arn.to_string()).chain(served).collect()
    }

    fn plan(&self, image: &Image, key: &str, _now: Timestamp) -> Plan<Step> {
        let seen = image.get::<BalancerSeen>(key);
        let Some(balancer) = image.get::<LoadBalancer>(key) else {
            return if seen.is_some() { Plan::Step(Step::Remove) } else { Plan::Done };
        };
        let is_available = |n: &&Node| image.has::<InterfaceSeen>(n.interface.as_str());
        if let Some(node) = balancer.nodes.iter().find(|n| !is_available(n)) {
            return Plan::wait(format!(
                "the network interface {} in {} is not available yet",
                node.interface, node.zone
            ));
        }
        let spec = spec::of(image, &balancer);
        let fingerprint = spec::fingerprint(&spec);
        match seen {
            Some(seen) if seen.fault.is_none() && seen.applied.as_deref() == Some(fingerprint.as_str()) => {
                if is_published(image, &balancer) {
                    Plan::Done
                } else {
                    Plan::Step(Step::Publish)
                }
            }
            _ => Plan::Step(Step::Apply { spec: Box::new(spec), fingerprint }),
        }
    }

    async fn act(&self, key: &str, step: Step) -> Result<(), StepError> {
        match step {
            Step::Apply { spec, fingerprint } => {
                // Recorded in either case, so that DescribeLoadBalancers shows the failure.
                let served: Vec<String> = spec.nodes.iter().map(|n| n.node.clone()).collect();
                let result = self.proxies.apply(*spec).await;
                self.record(key, &served, result.as_ref().map(|()| fingerprint))?;
                // Also after an error: the plane may still serve the previous specification.
                self.observe(key);
                Ok(result?)
            }
            Step::Publish => Ok(self.store.write(|tx| {
                if let Some(balancer) = tx.get::<LoadBalancer>(key) {
                    let served: Vec<String> =
                        balancer.nodes.iter().map(|n| spec::node_name(&balancer, n)).collect();
                    publish(tx, key, &served);
                }
                Ok::<(), StoreError>(())
            })?),
            Step::Remove => {
                // The row goes last: a crash before it leads to another removal.
                self.proxies.remove(key).await?;
                self.observers().remove(key);
                self.store.write(|tx| {
                    tx.delete::<BalancerSeen>(key);
                    let of = tx.scan::<NodeFault>().filter(|fault| *fault.load_balancer == *key);
                    for interface in of.map(|fault| fault.interface.clone()).collect::<Vec<_>>() {
                        tx.delete::<NodeFault>(interface.as_str());
                    }
                    Ok::<(), StoreError>(())
                })?;
                Ok(())
            }
        }
    }
}

/// Gives DNS the addresses of the nodes that the plane serves, of which SetSubnets may have created some.
fn publish(tx: &mut Tx, arn: &str, served: &[String]) {
    let Some(balancer) = tx.get::<LoadBalancer>(arn) else { return };
    let is_answered = network::is_answered(tx, &balancer);
    let is_served = |n: &&Node| is_answered(n) && served.contains(&spec::node_name(&balancer, n));
    let name = nodes::published(&balancer, balancer.nodes.iter().filter(is_served));
    let known = tx.get::<LoadBalancerName>(&name.name);
    // SetSubnets may have replaced all nodes meanwhile: then it has published the new ones.
    if !name.addresses.is_empty() && known.is_none_or(|known| *known != name) {
        tx.put(name);
    }
}

/// Whether DNS has the nodes of an unchanged load balancer that should be answered now.
fn is_published(image: &Image, balancer: &LoadBalancer) -> bool {
    let is_answered = network::is_answered(image, balancer);
    let wanted = nodes::published(balancer, balancer.nodes.iter().filter(|n| is_answered(n)));
    image.get::<LoadBalancerName>(&balancer.dns_name).is_some_and(|name| *name == wanted)
}

/// The load balancer's ARN from the ARN of a listener or rule, which has `more` further parts.
fn owner(arn: &str, kind: &str, more: usize) -> BTreeSet<String> {
    let mut arn = arn;
    for _ in 0..more {
        arn = arn.rsplit_once('/').map_or("", |(head, _)| head);
    }
    BTreeSet::from([arn.replacen(kind, ":loadbalancer/", 1)])
}

#[cfg(test)]
mod tests;
