//! The plane here is the one for simulations; sockets are tested from outside.

use super::*;
use crate::testing::Bench;
use async_trait::async_trait;
use escale_faults::{
    Driven, Fate, FaultAt, Risky, Stage, survives_failure_at_each_step, survives_regret_at_each_step,
    survives_repeat,
};
use escale_proxy::{FakeProxies, Reason, TargetState};
use serde_json::json;
use std::net::SocketAddr;

struct World {
    bench: Bench,
    plane: Arc<FakeProxies>,
    reconciler: Balancers,
    balancer: String,
    listener: String,
    group: String,
    target: SocketAddr,
}

impl World {
    fn new() -> World {
        World::with(Arc::new(FaultAt::never()))
    }

    fn with(fate: Arc<dyn Fate>) -> World {
        let bench = Bench::new();
        let balancer = bench.balancer("web");
        let group = bench.group("web");
        let listener = bench.listener(&balancer, 80);
        let forward = json!([{"Type": "forward", "TargetGroupArn": group}]);
        bench.ok("ModifyListener", json!({"ListenerArn": listener, "DefaultActions": forward}));
        let ip = bench.address_in(&bench.subnet("a"));
        let targets = json!({"TargetGroupArn": group, "Targets": [{"Id": ip, "Port": 8080}]});
        bench.ok("RegisterTargets", targets);
        let plane = Arc::new(FakeProxies::default());
        let clock = Clock::by_hand(Timestamp(1));
        let reconciler = Balancers::new(bench.store.clone(), clock, Risky::new(&plane, &fate));
        let target = format!("{ip}:8080").parse().unwrap();
        World { bench, plane, reconciler, balancer, listener, group, target }
    }

    fn plan(&self) -> Plan<Step> {
        self.reconciler.plan(&self.bench.store.read(), &self.balancer, Timestamp(1))
    }

    async fn step(&self) -> Result<(), StepError> {
        let Plan::Step(step) = self.plan() else { panic!("no step: {:?}", self.plan()) };
        self.reconciler.act(&self.balancer, step).await
    }

    fn health(&self) -> (String, String) {
        let all = self.bench.ok("DescribeTargetHealth", json!({"TargetGroupArn": self.group}));
        let health = &all["TargetHealthDescriptions"][0]["TargetHealth"];
        let word = |name: &str| health[name].as_str().unwrap_or("").to_owned();
        (word("State"), word("Reason"))
    }

    /// Until the observer has written what the plane was told.
    async fn until(&self, expected: (&str, &str)) {
        let mut changes = self.bench.store.subscribe(escale_store::ALL_TABLES);
        let wait = async {
            while self.health() != (expected.0.to_owned(), expected.1.to_owned()) {
                changes.changed().await;
            }
        };
        let waited = tokio::time::timeout(std::time::Duration::from_secs(10), wait).await;
        assert!(waited.is_ok(), "expected {expected:?}, stays {:?}", self.health());
    }

    fn state(&self) -> String {
        let all = self.bench.ok("DescribeLoadBalancers", json!({"LoadBalancerArns": [self.balancer]}));
        all["LoadBalancers"][0]["State"]["Code"].as_str().unwrap().to_owned()
    }
}

#[async_trait]
impl Stage for World {
    fn store(&self) -> &Store {
        &self.bench.store
    }
    fn clock(&self) -> &Clock {
        &self.reconciler.clock
    }
    fn reconcilers(&self) -> Vec<&dyn Driven> {
        vec![&self.reconciler]
    }
    async fn world(&self) -> String {
        let seen: Vec<_> = self.bench.store.read().scan::<BalancerSeen>().collect();
        let names = self.plane.names();
        format!("{:#?} {seen:#?}", names.iter().map(|n| self.plane.spec(n)).collect::<Vec<_>>())
    }
}

async fn that_stands(fate: Arc<dyn Fate>) -> World {
    let world = World::with(fate);
    world.bench.interfaces_stand();
    world
}

#[tokio::test]
async fn survives() {
    survives_repeat(that_stands).await;
    survives_failure_at_each_step(that_stands).await;
    survives_regret_at_each_step(that_stands, |world| {
        world.bench.ok("DeleteLoadBalancer", json!({"LoadBalancerArn": world.balancer}));
    })
    .await;
}

#[tokio::test]
async fn waits_for_interfaces_then_serves() {
    let world = World::new();
    assert!(matches!(world.plan(), Plan::Wait { .. }), "{:?}", world.plan());
    assert_eq!(world.state(), "provisioning");
    assert_eq!(world.health().1, "Elb.RegistrationInProgress");
    world.bench.interfaces_stand();
    world.step().await.unwrap();
    assert_eq!((world.plan(), world.state()), (Plan::Done, "active".into()));
    let spec = world.plane.spec(&world.balancer).unwrap();
    assert_eq!((spec.nodes.len(), spec.listeners.len(), spec.groups[0].targets.len()), (2, 1, 1));
    world.until(("healthy", "")).await;
    for (state, expected) in [
        (TargetState::Unhealthy(Reason::FailedCode(502)), ("unhealthy", "Target.ResponseCodeMismatch")),
        (TargetState::Unhealthy(Reason::Timeout), ("unhealthy", "Target.Timeout")),
        (TargetState::Unhealthy(Reason::ConnectionRefused), ("unhealthy", "Target.FailedHealthChecks")),
        (TargetState::Unhealthy(Reason::FailedCode(404)), ("unhealthy", "Target.ResponseCodeMismatch")),
        (TargetState::Unhealthy(Reason::BadAnswer), ("unhealthy", "Target.FailedHealthChecks")),
        (TargetState::Unhealthy(Reason::Timeout), ("unhealthy", "Target.Timeout")),
        (
            TargetState::Unhealthy(Reason::Unreachable("gone".into())),
            ("unhealthy", "Target.FailedHealthChecks"),
        ),
        (TargetState::Initial(None), ("initial", "Elb.InitialHealthChecking")),
        (TargetState::Initial(Some(Reason::FailedCode(404))), ("initial", "Elb.InitialHealthChecking")),
        (TargetState::Healthy, ("healthy", "")),
    ] {
        world.plane.set_target(world.target, state);
        world.until(expected).await;
    }
}

#[tokio::test]
async fn a_drained_target_goes() {
    let world = World::new();
    world.bench.interfaces_stand();
    world.step().await.unwrap();
    world.until(("healthy", "")).await;
    let targets = json!([{"Id": world.target.ip().to_string()}]);
    world.bench.ok("DeregisterTargets", json!({"TargetGroupArn": world.group, "Targets": targets}));
    assert_eq!(world.health(), ("draining".into(), "Target.DeregistrationInProgress".into()));
    world.step().await.unwrap();
    world.until(("", "")).await;
}

#[tokio::test]
async fn a_fault_is_shown_and_passes() {
    let world = World::new();
    world.bench.interfaces_stand();
    world.plane.fail_next(PlaneError::machine("the port is taken").retry(false));
    assert!(world.step().await.is_err());
    assert_eq!(world.state(), "failed");
    world.step().await.unwrap();
    assert_eq!(world.state(), "active");
    world.plane.fail_next(PlaneError::machine("the port is taken"));
    world.bench.ok("ModifyListener", json!({"ListenerArn": world.listener, "Port": 81}));
    assert!(world.step().await.is_err());
    assert_eq!(world.state(), "active_impaired");
    world.step().await.unwrap();
    assert_eq!((world.plan(), world.state()), (Plan::Done, "active".into()));
}

#[tokio::test]
async fn a_new_run_applies_again_and_a_deleted_one_is_removed() {
    let world = World::new();
    world.bench.interfaces_stand();
    world.step().await.unwrap();
    super::super::forget(&world.bench.store).unwrap();
    assert!(matches!(world.plan(), Plan::Step(Step::Apply { .. })));
    world.step().await.unwrap();
    world.bench.ok("DeleteLoadBalancer", json!({"LoadBalancerArn": world.balancer}));
    assert_eq!(world.plan(), Plan::Step(Step::Remove));
    world.step().await.unwrap();
    assert_eq!(world.plan(), Plan::Done);
    assert!(world.plane.names().is_empty());
}

#[test]
fn which_balancer_a_change_concerns() {
    let world = World::new();
    let image = world.bench.store.read();
    let rule = format!("{}/0123", world.listener.replace(":listener/", ":listener-rule/"));
    let node = image.get::<LoadBalancer>(&world.balancer).unwrap().nodes[0].interface.to_string();
    for (table, key) in [
        ("elbv2_load_balancer", world.balancer.clone()),
        ("elbv2_listener", world.listener.clone()),
        ("elbv2_rule", rule),
        ("elbv2_target_group", world.group.clone()),
        ("elbv2_target", format!("{}/10.0.0.1:80", world.group)),
        ("ec2_interface_seen", node),
    ] {
        let concerned = world.reconciler.concerned(&image, &Change { table, key });
        assert_eq!(concerned, BTreeSet::from([world.balancer.clone()]), "{table}");
    }
}
