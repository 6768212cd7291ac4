//! Tests with the fake plane. `tests/clients` tests the real sockets.

use super::*;
use crate::testing::FakeCloud;
use async_trait::async_trait;
use escale_faults::{
    Driven, Fate, FaultAt, Risky, Stage, survives_failure_at_each_step, survives_repeat,
    survives_withdrawal_at_each_step,
};
use escale_proxy::{FakeProxies, Reason, TargetState};
use serde_json::json;
use std::net::SocketAddr;

struct Fixture {
    cloud: FakeCloud,
    plane: Arc<FakeProxies>,
    reconciler: Balancers,
    balancer: String,
    listener: String,
    group: String,
    target: SocketAddr,
}

impl Fixture {
    fn new() -> Fixture {
        Fixture::with(Arc::new(FaultAt::never()))
    }

    fn with(fate: Arc<dyn Fate>) -> Fixture {
        let cloud = FakeCloud::new();
        let balancer = cloud.balancer("web");
        let group = cloud.group("web");
        let listener = cloud.listener(&balancer, 80);
        let forward = json!([{"Type": "forward", "TargetGroupArn": group}]);
        cloud.ok("ModifyListener", json!({"ListenerArn": listener, "DefaultActions": forward}));
        let ip = cloud.address_in(&cloud.subnet("a"));
        let targets = json!({"TargetGroupArn": group, "Targets": [{"Id": ip, "Port": 8080}]});
        cloud.ok("RegisterTargets", targets);
        let plane = Arc::new(FakeProxies::default());
        let clock = cloud.clock.clone();
        let reconciler = Balancers::new(cloud.store.clone(), clock, Risky::new(&plane, &fate));
        let target = format!("{ip}:8080").parse().unwrap();
        Fixture { cloud, plane, reconciler, balancer, listener, group, target }
    }

    fn plan(&self) -> Plan<Step> {
        self.reconciler.plan(&self.cloud.store.read(), &self.balancer, self.cloud.clock.now())
    }

    async fn step(&self) -> Result<(), StepError> {
        let Plan::Step(step) = self.plan() else { panic!("no step: {:?}", self.plan()) };
        self.reconciler.act(&self.balancer, step).await
    }

    fn health(&self) -> (String, String) {
        let all = self.cloud.ok("DescribeTargetHealth", json!({"TargetGroupArn": self.group}));
        let health = &all["TargetHealthDescriptions"][0]["TargetHealth"];
        let word = |name: &str| health[name].as_str().unwrap_or("").to_owned();
        (word("State"), word("Reason"))
    }

    /// Waits until the observer has recorded the state and reason.
    async fn until(&self, expected: (&str, &str)) {
        let mut changes = self.cloud.store.subscribe(escale_store::ALL_TABLES);
        let wait = async {
            while self.health() != (expected.0.to_owned(), expected.1.to_owned()) {
                changes.changed().await;
            }
        };
        let waited = tokio::time::timeout(std::time::Duration::from_secs(10), wait).await;
        assert!(waited.is_ok(), "expected {expected:?}, stays {:?}", self.health());
    }

    fn state(&self) -> String {
        let all = self.cloud.ok("DescribeLoadBalancers", json!({"LoadBalancerArns": [self.balancer]}));
        all["LoadBalancers"][0]["State"]["Code"].as_str().unwrap().to_owned()
    }
}

#[async_trait]
impl Stage for Fixture {
    fn store(&self) -> &Store {
        &self.cloud.store
    }
    fn clock(&self) -> &Clock {
        &self.cloud.clock
    }
    fn reconcilers(&self) -> Vec<&dyn Driven> {
        vec![&self.reconciler]
    }
    async fn world(&self) -> String {
        let seen: Vec<_> = self.cloud.store.read().scan::<BalancerSeen>().collect();
        let names = self.plane.names();
        format!("{:#?} {seen:#?}", names.iter().map(|n| self.plane.spec(n)).collect::<Vec<_>>())
    }
}

async fn with_fate(fate: Arc<dyn Fate>) -> Fixture {
    Fixture::with(fate)
}

#[tokio::test]
async fn survives() {
    survives_repeat(with_fate).await;
    survives_failure_at_each_step(with_fate).await;
    survives_withdrawal_at_each_step(with_fate, |fixture| {
        fixture.cloud.ok("DeleteLoadBalancer", json!({"LoadBalancerArn": fixture.balancer}));
    })
    .await;
}

#[tokio::test]
async fn waits_for_interfaces_then_serves() {
    let fixture = Fixture::new();
    let interfaces: Vec<InterfaceSeen> =
        fixture.cloud.store.read().scan::<InterfaceSeen>().map(|seen| (*seen).clone()).collect();
    fixture.cloud.write(|tx| {
        for seen in &interfaces {
            tx.delete::<InterfaceSeen>(seen.id.as_str());
        }
    });
    assert!(matches!(fixture.plan(), Plan::Wait { .. }), "{:?}", fixture.plan());
    assert_eq!(fixture.state(), "provisioning");
    assert_eq!(fixture.health().1, "Elb.RegistrationInProgress");
    fixture.cloud.write(|tx| interfaces.into_iter().for_each(|seen| tx.put(seen)));
    fixture.step().await.unwrap();
    assert_eq!((fixture.plan(), fixture.state()), (Plan::Done, "active".into()));
    let spec = fixture.plane.spec(&fixture.balancer).unwrap();
    assert_eq!((spec.nodes.len(), spec.listeners.len(), spec.groups[0].targets.len()), (2, 1, 1));
    fixture.until(("healthy", "")).await;
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
        fixture.plane.set_target(fixture.target, state);
        fixture.until(expected).await;
    }
}

#[tokio::test]
async fn drained_target_is_removed() {
    let fixture = Fixture::new();
    fixture.step().await.unwrap();
    fixture.until(("healthy", "")).await;
    let targets = json!([{"Id": fixture.target.ip().to_string()}]);
    fixture.cloud.ok("DeregisterTargets", json!({"TargetGroupArn": fixture.group, "Targets": targets}));
    assert_eq!(fixture.health(), ("draining".into(), "Target.DeregistrationInProgress".into()));
    fixture.step().await.unwrap();
    fixture.until(("", "")).await;
}

#[tokio::test]
async fn shows_a_fault_until_it_is_gone() {
    let fixture = Fixture::new();
    fixture.plane.fail_next(PlaneError::machine("the port is taken").retry(false));
    assert!(fixture.step().await.is_err());
    assert_eq!(fixture.state(), "failed");
    fixture.step().await.unwrap();
    assert_eq!(fixture.state(), "active");
    fixture.plane.fail_next(PlaneError::machine("the port is taken"));
    fixture.cloud.ok("ModifyListener", json!({"ListenerArn": fixture.listener, "Port": 81}));
    assert!(fixture.step().await.is_err());
    assert_eq!(fixture.state(), "active_impaired");
    fixture.step().await.unwrap();
    assert_eq!((fixture.plan(), fixture.state()), (Plan::Done, "active".into()));
}

#[tokio::test]
async fn applies_again_after_restart_and_removes_after_deletion() {
    let fixture = Fixture::new();
    fixture.step().await.unwrap();
    super::super::begin_observations(&fixture.cloud.store, escale_base::Timestamp(0), fixture.plane.names())
        .unwrap();
    assert!(matches!(fixture.plan(), Plan::Step(Step::Apply { .. })));
    fixture.step().await.unwrap();
    fixture.cloud.ok("DeleteLoadBalancer", json!({"LoadBalancerArn": fixture.balancer}));
    assert_eq!(fixture.plan(), Plan::Step(Step::Remove));
    fixture.step().await.unwrap();
    assert_eq!(fixture.plan(), Plan::Done);
    assert!(fixture.plane.names().is_empty());
}

#[tokio::test]
async fn publishes_a_new_node_once_it_is_served() {
    let fixture = Fixture::new();
    fixture.step().await.unwrap();
    let current = || {
        let image = fixture.cloud.store.read();
        let balancer = image.get::<LoadBalancer>(&fixture.balancer).unwrap();
        let name = image.get::<LoadBalancerName>(&balancer.dns_name).unwrap();
        (name.addresses.len(), super::super::is_current(&image, &balancer))
    };
    assert_eq!(current(), (2, true));
    let balancer = fixture.cloud.store.read().get::<LoadBalancer>(&fixture.balancer).unwrap();
    let kept = balancer.nodes[0].subnet.clone();
    let subnets = json!([kept, fixture.cloud.subnet("c")]);
    fixture.cloud.ok("SetSubnets", json!({"LoadBalancerArn": fixture.balancer, "Subnets": subnets}));
    assert_eq!(current(), (1, false));
    fixture.step().await.unwrap();
    assert_eq!(current(), (2, true));
}

#[test]
fn finds_the_balancer_that_a_change_concerns() {
    let fixture = Fixture::new();
    let image = fixture.cloud.store.read();
    let rule = format!("{}/0123", fixture.listener.replace(":listener/", ":listener-rule/"));
    let node = image.get::<LoadBalancer>(&fixture.balancer).unwrap().nodes[0].interface.to_string();
    for (table, key) in [
        ("elbv2_load_balancer", fixture.balancer.clone()),
        ("elbv2_listener", fixture.listener.clone()),
        ("elbv2_rule", rule),
        ("elbv2_target_group", fixture.group.clone()),
        ("elbv2_target", format!("{}/10.0.0.1:80", fixture.group)),
        ("ec2_interface_seen", node),
    ] {
        let concerned = fixture.reconciler.concerned(&image, &Change { table, key });
        assert_eq!(concerned, BTreeSet::from([fixture.balancer.clone()]), "{table}");
    }
}
