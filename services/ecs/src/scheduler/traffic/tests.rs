//! A deployment is driven through its stages by its own decisions.

use super::super::FailedCheck;
use super::*;
use escale_tables::ecs::{HookAction, HookStatus, Pause, PauseHook, TaskId, TrafficStrategy};

const NOW: Timestamp = Timestamp(1_000_000);

fn strategy(kind: DeploymentStrategy, step: Option<(Share, u32)>) -> TrafficStrategy {
    let step = step.map(|(share, minutes)| TrafficStep { share, minutes });
    TrafficStrategy { kind, bake_minutes: 2, step, pauses: Vec::new() }
}

struct Service {
    wish: Wish,
    members: Vec<Member>,
    now: Timestamp,
    last: usize,
}

impl Service {
    /// Two tasks of `blue` serve, and `green` replaces them.
    fn new(strategy: TrafficStrategy) -> Service {
        let version = |id: &str, in_progress, traffic| Version {
            id: id.into(),
            in_progress,
            has_failed: false,
            failures: 0,
            last_failure: None,
            baking: None,
            traffic,
        };
        let traffic = Traffic::new(strategy, Stage::PreScaleUp, NOW);
        let wish = Wish {
            desired: 2,
            minimum_percent: 100,
            maximum_percent: 200,
            circuit_breaker: true,
            threshold: 3,
            alarm: None,
            bake_ms: 0,
            minute_ms: 60_000,
            rebalance: false,
            grace_ms: 0,
            deployments: vec![version("green", true, Some(traffic)), version("blue", false, None)],
            zones: vec!["a".into()],
        };
        let members = ["1", "2"].map(|id| member(id, "blue", Life::Up)).into();
        Service { wish, members, now: NOW, last: 2 }
    }

    fn traffic(&mut self) -> &mut Traffic {
        self.wish.deployments[0].traffic.as_mut().unwrap()
    }

    fn decide(&self) -> Decision {
        super::super::decide(&self.wish, &self.members, self.now)
    }

    /// Executes decisions until the service waits, and returns what it did.
    fn run(&mut self) -> Vec<String> {
        let mut done = Vec::new();
        loop {
            let decision = self.decide();
            match &decision {
                Decision::Shift(to) => {
                    let now = self.now;
                    let traffic = self.traffic();
                    let is_step = (traffic.stage, traffic.production) != (to.stage, to.production);
                    if is_step || !traffic.is_routed {
                        (traffic.since, traffic.passed) = (now, 0);
                    }
                    (traffic.stage, traffic.production, traffic.test) = (to.stage, to.production, to.test);
                    traffic.is_routed = true;
                    done.push(format!("{} {}/{}", to.stage, to.production, to.test));
                }
                Decision::StartOf(id, many) => {
                    for _ in 0..*many {
                        self.last += 1;
                        self.members.push(member(&self.last.to_string(), id, Life::Starting));
                    }
                    done.push(format!("start {many} {id}"));
                }
                Decision::Stop(list) => {
                    done.push(format!("stop {}", list.iter().map(|(id, _)| id.as_str()).collect::<String>()));
                    self.members.retain(|m| !list.iter().any(|(id, _)| *id == m.id));
                }
                Decision::Pause(stage) => {
                    let expires = self.now.plus_ms(60_000);
                    let pause = Pause {
                        id: "hook".into(),
                        expires,
                        action: HookAction::Rollback,
                        status: HookStatus::AwaitingAction,
                    };
                    self.traffic().pauses.push(pause);
                    done.push(format!("pause {stage}"));
                }
                Decision::Wait(_) => return done,
                Decision::Complete | Decision::Trip(_) | Decision::Expire => {
                    done.push(format!("{decision:?}"));
                    return done;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn green(&mut self, life: Life) {
        self.members.iter_mut().filter(|m| m.deployment == "green").for_each(|m| m.life = life);
    }
}

fn member(id: &str, deployment: &str, life: Life) -> Member {
    Member {
        id: TaskId(id.into()),
        deployment: deployment.into(),
        zone: "a".into(),
        life,
        has_served: false,
        is_checked: true,
        started: Some(Timestamp(0)),
        created: Timestamp(0),
        protected_until: None,
    }
}

#[test]
fn blue_green_shifts_all_traffic_to_healthy_tasks_and_then_bakes() {
    let mut service = Service::new(strategy(DeploymentStrategy::BlueGreen, None));
    assert_eq!(service.run(), ["PRE_SCALE_UP 0/0", "SCALE_UP 0/0", "start 2 green"]);
    service.green(Life::Unhealthy(FailedCheck::Balancer));
    service.wish.grace_ms = 1 << 40;
    assert!(service.run().is_empty(), "an unhealthy revision gets no traffic");
    service.green(Life::Up);
    let shifted = [
        "POST_SCALE_UP 0/0",
        "TEST_TRAFFIC_SHIFT 0/0",
        "POST_TEST_TRAFFIC_SHIFT 0/1000",
        "PRODUCTION_TRAFFIC_SHIFT 0/1000",
        "POST_PRODUCTION_TRAFFIC_SHIFT 1000/1000",
        "BAKE_TIME 1000/1000",
    ];
    assert_eq!(service.run(), shifted);
    assert_eq!(service.decide(), Decision::Wait(Some(NOW.plus_ms(120_000))));
    service.now = NOW.plus_ms(120_000);
    assert_eq!(service.run(), ["CLEAN_UP 1000/1000", "stop 12", "Complete"]);
}

#[test]
fn linear_and_canary_shift_in_steps() {
    for (kind, step, steps) in [
        (DeploymentStrategy::Linear, (400, 3), vec![400, 800, 1000]),
        (DeploymentStrategy::Canary, (50, 3), vec![50, 1000]),
    ] {
        let mut service = Service::new(TrafficStrategy { bake_minutes: 60, ..strategy(kind, Some(step)) });
        service.run();
        service.green(Life::Up);
        let mut seen = Vec::new();
        for _ in 0..steps.len() {
            service.run();
            seen.push(service.traffic().production);
            service.now = service.now.plus_ms(179_999);
            assert!(service.run().is_empty());
            service.now = service.now.plus_ms(1);
        }
        assert_eq!(seen, steps, "{kind}");
    }
}

#[test]
fn tasks_of_the_old_revision_are_replaced_until_the_end() {
    let mut service = Service::new(strategy(DeploymentStrategy::BlueGreen, None));
    service.run();
    service.green(Life::Up);
    service.run();
    service.members.remove(0);
    assert_eq!(service.run(), ["start 1 blue"]);
}

#[test]
fn hooks_hold_the_deployment_until_they_are_answered_or_expire() {
    let mut pausing = strategy(DeploymentStrategy::BlueGreen, None);
    let stages = vec![HookStage::PreScaleUp, HookStage::PreProductionTrafficShift];
    pausing.pauses.push(PauseHook { stages, timeout_minutes: 1, action: HookAction::Rollback });
    let mut service = Service::new(pausing);
    assert_eq!(service.run(), ["PRE_SCALE_UP 0/0", "pause PRE_SCALE_UP"]);
    service.traffic().answer(HookStatus::Succeeded);
    assert_eq!(service.run(), ["SCALE_UP 0/0", "start 2 green"]);
    service.green(Life::Up);
    assert_eq!(service.run().last().unwrap(), "pause PRE_PRODUCTION_TRAFFIC_SHIFT");
    service.now = service.now.plus_ms(60_000);
    assert_eq!(service.run(), ["Expire"]);
}

#[test]
fn deployment_fails_until_the_old_revision_is_removed() {
    let mut service = Service::new(strategy(DeploymentStrategy::BlueGreen, None));
    service.run();
    service.green(Life::Up);
    service.run();
    service.wish.deployments[0].failures = 3;
    assert_eq!(service.decide(), Decision::Trip(None));
    service.traffic().stage = Stage::CleanUp;
    assert_eq!(service.run(), ["stop 12", "Complete"]);
}

/// A rollback makes the old revision the newest: the traffic returns before anything else happens.
#[test]
fn rollback_returns_the_traffic_first_and_removes_the_failed_revision() {
    let mut service = Service::new(strategy(DeploymentStrategy::BlueGreen, None));
    service.run();
    service.wish.deployments.reverse();
    let mut traffic = Traffic::new(strategy(DeploymentStrategy::BlueGreen, None), Stage::CleanUp, NOW);
    (traffic.production, traffic.test) = (1000, 1000);
    service.wish.deployments[0].traffic = Some(traffic);
    service.wish.deployments[0].in_progress = true;
    (service.wish.deployments[1].in_progress, service.wish.deployments[1].has_failed) = (false, true);
    service.members.remove(0);
    assert_eq!(service.run(), ["CLEAN_UP 1000/1000", "start 1 blue", "stop 34"]);
    service.members.iter_mut().for_each(|m| m.life = Life::Up);
    assert_eq!(service.run(), ["Complete"]);
}

/// A third revision leaves first: it uses the target group that the new one needs.
#[test]
fn reconciles_to_the_revision_with_traffic() {
    let mut service = Service::new(strategy(DeploymentStrategy::BlueGreen, None));
    service.traffic().stage = Stage::ReconcileService;
    service.members.push(member("3", "between", Life::Up));
    assert_eq!(
        service.run(),
        ["RECONCILE_SERVICE 0/0", "stop 3", "PRE_SCALE_UP 0/0", "SCALE_UP 0/0", "start 2 green"]
    );
}
