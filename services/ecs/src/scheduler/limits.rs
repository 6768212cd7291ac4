//! A service goes through random events; every decision keeps it within its limits.

use super::*;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

/// A service whose tasks really start, fail and stop.
struct Service {
    wish: Wish,
    members: Vec<Member>,
    now: Timestamp,
    created: i64,
    random: StdRng,
}

impl Service {
    fn new(seed: u64) -> Service {
        let mut random = StdRng::seed_from_u64(seed);
        let minimum_percent = *[0, 50, 67, 100].choose(&mut random).unwrap();
        let maximum_percent = *[100, 125, 150, 200].choose(&mut random).unwrap();
        let wish = Wish {
            desired: random.random_range(0..7),
            minimum_percent,
            maximum_percent: if minimum_percent == 100 { 200 } else { maximum_percent },
            circuit_breaker: false,
            threshold: 3,
            alarm: None,
            bake_ms: 0,
            minute_ms: 60_000,
            rebalance: random.random_bool(0.3) && maximum_percent > 100,
            grace_ms: random.random_range(0..3) * 500,
            deployments: vec![version("d0")],
            zones: vec!["a".into(), "b".into()],
        };
        Service { wish, members: Vec::new(), now: Timestamp(1_000_000), created: 0, random }
    }

    fn least(&self) -> u32 {
        (self.wish.desired * self.wish.minimum_percent).div_ceil(100)
    }

    fn most(&self) -> u32 {
        (self.wish.desired * self.wish.maximum_percent / 100).max(self.wish.desired)
    }

    fn count(&self, is: impl Fn(&Member) -> bool) -> u32 {
        self.members.iter().filter(|m| is(m)).count() as u32
    }

    fn alive(&self) -> u32 {
        self.count(|m| m.life != Life::Stopping)
    }

    fn healthy(&self) -> u32 {
        self.count(|m| m.life == Life::Up)
    }

    /// A load balancer whose targets are all unhealthy uses all of them.
    fn serving(&self) -> u32 {
        self.count(|m| matches!(m.life, Life::Up | Life::Unhealthy(_)))
    }

    /// Also those that a load balancer checks anew.
    fn usable(&self) -> u32 {
        self.count(|m| m.life == Life::Up || m.life == Life::Starting && m.has_served)
    }

    fn happen(&mut self) {
        let all = self.members.len();
        match self.random.random_range(0..12) {
            0 => self.wish.desired = self.random.random_range(0..7),
            1 => {
                let next = format!("d{}", self.created);
                self.created += 1;
                self.wish.deployments.insert(0, version(&next));
            }
            // The load balancer starts again, and checks all targets anew.
            3 if self.random.random_bool(0.2) => {
                for up in self.members.iter_mut().filter(|m| m.life == Life::Up) {
                    (up.life, up.has_served) = (Life::Starting, true);
                }
            }
            2 => self.now = self.now.plus_ms(self.random.random_range(1..3000)),
            _ if all == 0 => {}
            _ => {
                let at = self.random.random_range(0..all);
                let is_even = self.random.random_bool(0.5);
                let member = &mut self.members[at];
                match member.life {
                    Life::Starting | Life::Unhealthy(_) if is_even => member.life = Life::Up,
                    Life::Starting | Life::Up => member.life = Life::Unhealthy(FailedCheck::Balancer),
                    Life::Unhealthy(_) => member.life = Life::Stopping,
                    Life::Stopping => drop(self.members.remove(at)),
                }
                self.now = self.now.plus_ms(10);
            }
        }
    }

    /// Executes decisions until there is nothing to do, and checks each.
    fn settle(&mut self) {
        for _ in 0..50 {
            let before = (self.alive(), self.healthy(), self.serving());
            let usable = self.usable();
            let decision = decide(&self.wish, &self.members, self.now);
            let at = format!("{decision:?} of {:?}: {:#?}", self.wish, self.members);
            match decision {
                Decision::Start(many) => {
                    assert!(many > 0 && self.alive() + many <= self.most(), "above the maximum: {at}");
                    for _ in 0..many {
                        self.start();
                    }
                }
                Decision::Stop(list) => {
                    assert!(!list.is_empty(), "{at}");
                    let is_replaced = list.iter().any(|(_, why)| matches!(why, Why::Unhealthy(_)));
                    for (id, _) in list {
                        let stopped = self.members.iter_mut().find(|m| m.id == id).unwrap();
                        assert_ne!(stopped.life, Life::Stopping, "{at}");
                        stopped.life = Life::Stopping;
                    }
                    let (alive, healthy, serving) = before;
                    assert!(self.healthy() >= healthy.min(self.least()), "below the minimum: {at}");
                    assert!(self.usable() >= usable.min(self.least()), "below the minimum: {at}");
                    // Unhealthy tasks are replaced before they are stopped, or at the maximum one at a time.
                    let one_less = u32::from(alive >= self.most());
                    let kept = if is_replaced { self.wish.desired.min(serving - one_less) } else { 0 };
                    assert!(self.serving() >= kept, "too few serve: {at}");
                }
                Decision::Complete => {
                    self.wish.deployments.truncate(1);
                    self.wish.deployments[0].in_progress = false;
                }
                Decision::Wait(_) => return,
                other => panic!("neither breaker nor alarms nor traffic: {other:?}: {at}"),
            }
        }
        panic!("no end of decisions: {:?} {:#?}", self.wish, self.members);
    }

    fn start(&mut self) {
        self.created += 1;
        let zone = if self.count(|m| m.zone == "a") > self.count(|m| m.zone == "b") { "b" } else { "a" };
        self.members.push(Member {
            id: TaskId(format!("t{}", self.created)),
            deployment: self.wish.deployments[0].id.clone(),
            zone: zone.into(),
            life: Life::Starting,
            has_served: false,
            is_checked: true,
            started: Some(self.now),
            created: Timestamp(self.created),
            protected_until: None,
        });
    }

    /// From now on every new task becomes healthy, and no unhealthy one does.
    fn recover(&mut self) {
        for _ in 0..60 {
            self.now = self.now.plus_ms(5_000);
            self.settle();
            self.members.retain(|m| m.life != Life::Stopping);
            for starting in self.members.iter_mut().filter(|m| m.life == Life::Starting) {
                starting.life = Life::Up;
            }
        }
    }
}

fn version(id: &str) -> Version {
    Version {
        id: id.into(),
        in_progress: true,
        has_failed: false,
        failures: 0,
        last_failure: None,
        baking: None,
        traffic: None,
    }
}

#[test]
fn every_decision_stays_within_the_limits() {
    for seed in 0..2_000 {
        let mut service = Service::new(seed);
        for _ in 0..60 {
            service.settle();
            service.happen();
        }
        // Limits that allow neither an additional task nor one less block a deployment; on AWS, too.
        if service.least() == service.wish.desired && service.most() == service.wish.desired {
            continue;
        }
        service.recover();
        let newest = &service.wish.deployments[0].id;
        let is_new = |m: &Member| m.deployment == *newest && m.life == Life::Up;
        let found = (service.count(is_new), service.members.len() as u32);
        let desired = service.wish.desired;
        assert_eq!(found, (desired, desired), "seed {seed}: {:#?} {:?}", service.members, service.wish);
    }
}
