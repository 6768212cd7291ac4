//! A node's routing table: an immutable snapshot, replaced as a whole.

use crate::{
    counters::ListenerCounters,
    spec::{Algorithm, Attributes, Condition, Fixed, Redirect, Relay, Sticky},
    sticky::{Jar, Tag},
    target::{Lease, Target},
};
use escale_tls::Terminator;
use http::HeaderValue;
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

pub(crate) struct Table {
    pub(crate) attributes: Attributes,
    pub(crate) idle: Duration,
    pub(crate) server: HeaderValue,
    pub(crate) trace_header: Option<http::HeaderName>,
    pub(crate) jar: Arc<Jar>,
    /// By the port of the spec (which may be 0), not by the actual port.
    pub(crate) ports: HashMap<u16, Port>,
}

pub(crate) struct Port {
    /// With their priorities.
    pub(crate) rules: Vec<(u32, Vec<Condition>, Step)>,
    pub(crate) default: Step,
    pub(crate) tls: Option<Terminator>,
    pub(crate) counters: Arc<ListenerCounters>,
}

pub(crate) enum Step {
    Forward(Forward),
    Redirect(Redirect),
    Fixed(Fixed),
    Relay(Relay, Arc<Group>),
}

/// The groups of a rule, with their weights.
pub(crate) struct Forward {
    pub(crate) groups: Vec<(u32, Arc<Group>)>,
    pub(crate) sticky_s: Option<u64>,
}

/// The targets of a group that this node may send to and that do not drain.
pub(crate) struct Group {
    pub(crate) algorithm: Algorithm,
    /// How long the share of a target that becomes healthy grows.
    pub(crate) slow_start: Option<Duration>,
    pub(crate) sticky: Option<Sticky>,
    /// In cookies.
    pub(crate) tag: Tag,
    pub(crate) targets: Vec<Arc<Target>>,
    /// Kept over changes of the table, so that a change does not restart the round-robin.
    pub(crate) turn: Arc<AtomicUsize>,
}

impl Forward {
    /// The group that the target was chosen from.
    pub(crate) fn group_of(&self, lease: &Lease) -> Option<&Group> {
        let has = |group: &&Arc<Group>| group.targets.iter().any(|target| Arc::ptr_eq(target, lease));
        self.groups.iter().map(|(_, group)| group).find(has).map(|group| &**group)
    }
}

impl Group {
    /// A healthy target for a request that could not be sent to those that were tried.
    pub(crate) fn other(&self, tried: &[SocketAddr]) -> Option<Lease> {
        let is_left = |t: &&Arc<Target>| t.is_healthy() && !t.is_draining() && !tried.contains(&t.addr);
        let turn = self.turn.fetch_add(1, Relaxed);
        let left: Vec<_> = self.targets.iter().filter(is_left).collect();
        (0..left.len()).find_map(|i| Lease::take(left[(turn + i) % left.len()]))
    }

    pub(crate) fn has_other(&self, than: SocketAddr) -> bool {
        self.targets.iter().any(|t| t.addr != than && t.is_healthy() && !t.is_draining())
    }

    /// A target for one request: a healthy one; any, when none is healthy (an attempt is better than a certain
    /// refusal, and a broken health check takes no service down); `None` when the group is empty.
    pub(crate) fn choose(&self) -> Option<Lease> {
        // A target can begin to drain between choice and lease; the next choice excludes it.
        (0..=self.targets.len()).find_map(|_| Lease::take(self.candidate()?))
    }

    fn candidate(&self) -> Option<&Arc<Target>> {
        // Counted and selected without an allocation: this runs for every request.
        let healthy = self.targets.iter().filter(|t| t.is_healthy() && !t.is_draining()).count();
        let open = self.targets.iter().filter(|t| !t.is_draining()).count();
        let count = if healthy > 0 { healthy } else { open };
        if count == 0 {
            return None;
        }
        let mut eligible =
            self.targets.iter().filter(|t| !t.is_draining() && (healthy == 0 || t.is_healthy()));
        let turn = self.turn.fetch_add(1, Relaxed) % count;
        match self.algorithm {
            Algorithm::RoundRobin => {
                let chosen = eligible.nth(turn)?;
                Some(if healthy > 0 { self.unless_too_new(chosen) } else { chosen })
            }
            // The turn breaks ties, or the first target would get all sequential requests.
            Algorithm::LeastOutstanding => eligible
                .enumerate()
                .min_by_key(|(i, t)| (t.outstanding(), (i + count - turn) % count))
                .map(|(_, t)| t),
        }
    }
}

impl Group {
    /// With slow start, a target that became healthy lately gets a part of its requests, which grows linearly; the others get the
    /// rest. If all are new, there is nothing to compare them with, and all get their full share.
    ///
    /// Source: <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html#slow-start-mode>
    fn unless_too_new<'a>(&'a self, chosen: &'a Arc<Target>) -> &'a Arc<Target> {
        let Some(ramp) = self.slow_start else { return chosen };
        let Some(healthy_for) = chosen.healthy_for().filter(|healthy_for| *healthy_for < ramp) else {
            return chosen;
        };
        if rand::random::<f64>() < healthy_for.as_secs_f64() / ramp.as_secs_f64() {
            return chosen;
        }
        let is_old = |t: &&Arc<Target>| !t.is_draining() && t.healthy_for().is_some_and(|age| age >= ramp);
        let count = self.targets.iter().filter(is_old).count();
        if count == 0 {
            return chosen;
        }
        let mut old = self.targets.iter().filter(is_old);
        old.nth(rand::random_range(0..count)).unwrap_or(chosen)
    }
}

/// One group by weight; `None` when all weights are zero.
pub(crate) fn by_weight(groups: &[(u32, Arc<Group>)]) -> Option<&Arc<Group>> {
    if let [(weight, only)] = groups {
        return (*weight > 0).then_some(only);
    }
    let total: u64 = groups.iter().map(|(w, _)| u64::from(*w)).sum();
    if total == 0 {
        return None;
    }
    let mut at = rand::random_range(0..total);
    groups.iter().find_map(|(w, group)| match at.checked_sub(u64::from(*w)) {
        Some(rest) => {
            at = rest;
            None
        }
        None => Some(group),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TargetState, spec::Transport};

    fn group(algorithm: Algorithm, n: u16) -> Group {
        let target = |i| Target::new("g", ([127, 0, 0, 1], i).into(), Transport::default(), [0; 8]);
        Group {
            algorithm,
            slow_start: None,
            sticky: None,
            tag: [0; 8],
            targets: (0..n).map(target).collect(),
            turn: Arc::default(),
        }
    }

    fn ports(group: &Group, n: usize) -> Vec<u16> {
        (0..n).map(|_| group.choose().unwrap().addr.port()).collect()
    }

    #[test]
    fn round_robin_skips_unhealthy_and_fails_open() {
        let g = group(Algorithm::RoundRobin, 3);
        assert_eq!(ports(&g, 4), [0, 1, 2, 0], "none healthy: all");
        g.targets[2].set_state(TargetState::Healthy);
        assert_eq!(ports(&g, 3), [2, 2, 2]);
        assert!(group(Algorithm::RoundRobin, 0).choose().is_none());
    }

    #[test]
    fn another_target_is_healthy_and_was_not_tried() {
        let g = group(Algorithm::RoundRobin, 3);
        g.targets[0].set_state(TargetState::Healthy);
        g.targets[1].set_state(TargetState::Healthy);
        let (first, second) = (g.targets[0].addr, g.targets[1].addr);
        assert!(g.has_other(first));
        assert_eq!(g.other(&[first]).unwrap().addr, second);
        assert!(g.other(&[first, second]).is_none(), "the third one is not healthy");
        g.targets[1].begin_drain();
        assert!(!g.has_other(first));
        assert!(g.other(&[first]).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn share_of_a_new_target_grows_with_slow_start() {
        let mut g = group(Algorithm::RoundRobin, 2);
        g.slow_start = Some(Duration::from_secs(100));
        g.targets[0].set_state(TargetState::Healthy);
        tokio::time::advance(Duration::from_secs(100)).await;
        g.targets[1].set_state(TargetState::Healthy);
        let share = || ports(&g, 4000).iter().filter(|port| **port == 1).count();
        assert_eq!(share(), 0, "at its start");
        tokio::time::advance(Duration::from_secs(50)).await;
        let half = share();
        assert!((800..1200).contains(&half), "half of a half, not {half} of 4000");
        tokio::time::advance(Duration::from_secs(50)).await;
        assert_eq!(share(), 2000);
        // A target that recovers starts slowly again; a group of new ones only has no ramp.
        g.targets[0].set_state(TargetState::Unhealthy(crate::Reason::Timeout));
        g.targets[0].set_state(TargetState::Healthy);
        assert_eq!(share(), 4000);
        g.targets[1].set_state(TargetState::Unhealthy(crate::Reason::Timeout));
        g.targets[1].set_state(TargetState::Healthy);
        assert_eq!(share(), 2000);
    }

    #[test]
    fn least_outstanding_spreads_requests_evenly() {
        let g = group(Algorithm::LeastOutstanding, 3);
        let held: Vec<Lease> = (0..5).map(|_| g.choose().unwrap()).collect();
        let mut counts: Vec<usize> = g.targets.iter().map(|t| t.outstanding()).collect();
        counts.sort_unstable();
        assert_eq!(counts, [1, 2, 2]);
        drop(held);
        assert!(g.targets.iter().all(|t| t.outstanding() == 0));
    }

    #[test]
    fn weights_divide_requests_between_groups() {
        let (a, b) = (Arc::new(group(Algorithm::RoundRobin, 1)), Arc::new(group(Algorithm::RoundRobin, 1)));
        let pair = [(3, a.clone()), (1, b.clone())];
        let to_a = (0..4000).filter(|_| Arc::ptr_eq(by_weight(&pair).unwrap(), &a)).count();
        assert!((2700..3300).contains(&to_a), "{to_a} of 4000");
        assert!(by_weight(&[(0, a.clone()), (0, b)]).is_none());
        assert!(by_weight(&[(0, a)]).is_none());
    }

    #[tokio::test]
    async fn drain_waits_for_requests_in_progress() {
        let g = group(Algorithm::RoundRobin, 1);
        let lease = g.choose().unwrap();
        let target = g.targets[0].clone();
        let drain = tokio::spawn({
            let target = target.clone();
            async move { target.drain(Duration::from_secs(60)).await }
        });
        while !target.is_draining() {
            tokio::task::yield_now().await;
        }
        assert!(g.choose().is_none());
        assert!(!drain.is_finished());
        drop(lease);
        drain.await.unwrap();
        assert!(target.cut.is_cancelled());
    }
}
