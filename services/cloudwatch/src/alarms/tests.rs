//! The evaluator on the fake of the metrics plane, with faults.

use super::{Alarms, Composites};
use crate::{CloudWatch, Monitor};
use async_trait::async_trait;
use escale_base::{Clock, Timestamp};
use escale_engine::{Plan, Reconciler};
use escale_faults::{
    Driven, Fate, FaultAt, Risky, Stage, survives_failure_at_each_step, survives_repeat,
    survives_withdrawal_at_each_step,
};
use escale_harness::Harness;
use escale_metrics::{Datum, Fake, Metrics, Series, Summary};
use escale_store::Store;
use escale_tables::{
    autoscaling::{AdjustmentType, Policy, PolicyKind, StepScaling},
    cloudwatch::{Alarm, AlarmHistory, AlarmInvocation, AlarmSeen, StateValue},
};
use serde_json::json;
use std::sync::Arc;

const POLICY: &str =
    "arn:aws:autoscaling:eu-west-3:000000000000:scalingPolicy:1:resource/ecs/service/shop/web:policyName/p";

struct Fixture {
    harness: Harness,
    plane: Arc<Fake>,
    alarms: Alarms,
}

/// An alarm with a scaling policy as its action, whose metric breaches.
async fn breaching(fate: Arc<dyn Fate>) -> Fixture {
    let plane = Arc::new(Fake::default());
    let harness = Harness::of(CloudWatch(Monitor::new(Arc::clone(&plane) as _)));
    let alarms = Alarms {
        store: harness.store.clone(),
        cloud: Arc::clone(&harness.cloud),
        plane: Risky::new(&plane, &fate),
        evaluated: Default::default(),
    };
    harness.ok(
        "PutMetricAlarm",
        json!({ "AlarmName": "long", "EvaluationPeriods": 2, "ComparisonOperator": "GreaterThanThreshold", "Threshold": 50,
            "MetricName": "Backlog", "Namespace": "Shop", "Statistic": "Maximum", "Period": 60 }),
    );
    let step = StepScaling {
        adjustment: AdjustmentType::Change,
        steps: vec![],
        min_magnitude: None,
        cooldown_secs: None,
        aggregation: None,
    };
    harness.write(|tx| {
        tx.put(Policy {
            resource: "service/shop/web".into(),
            name: "p".into(),
            arn: POLICY.into(),
            kind: PolicyKind::Step(step),
            created: Timestamp(0),
        });
        tx.update("long", |alarm: &mut Alarm| alarm.actions.alarm = vec![POLICY.into()]);
    });
    let fixture = Fixture { harness, plane, alarms };
    fixture.report(80.0).await;
    fixture
}

impl Fixture {
    /// This value in each of the last five minutes.
    async fn report(&self, value: f64) {
        let (now, text) = (self.harness.clock.now(), |text: &str| text.to_owned());
        let series =
            Series { space: text("Shop"), name: text("Backlog"), labels: vec![], unit: text("None") };
        let datum = |ago: i64| Datum {
            series: series.clone(),
            at: now.plus_ms(-60_000 * ago),
            fine: false,
            summary: Summary::of(value),
        };
        self.plane.put((1..6).map(datum).collect(), now).await.unwrap();
    }

    async fn settle(&self) {
        let plan = || self.alarms.plan(&self.harness.store.read(), "long", self.harness.clock.now());
        while let Plan::Step(step) = plan() {
            self.alarms.act("long", step).await.unwrap();
        }
    }

    fn invoked(&self) -> Option<Arc<AlarmInvocation>> {
        self.harness.store.read().get::<AlarmInvocation>("long")
    }
}

#[async_trait]
impl Stage for Fixture {
    fn store(&self) -> &Store {
        &self.harness.store
    }
    fn clock(&self) -> &Clock {
        &self.harness.clock
    }
    fn reconcilers(&self) -> Vec<&dyn Driven> {
        vec![&self.alarms]
    }
    async fn world(&self) -> String {
        let image = self.harness.store.read();
        let seen: Vec<_> = image.scan::<AlarmSeen>().map(|seen| (seen.state, seen.reason.clone())).collect();
        // That an alarm was created is an item, too.
        let changes = image.scan::<AlarmHistory>().filter(|item| item.summary.contains("updated from"));
        format!("{seen:?} {} {:?}", changes.count(), image.scan::<AlarmInvocation>().collect::<Vec<_>>())
    }
}

#[tokio::test]
async fn survives_repeats_failures_and_deletion_at_each_step() {
    survives_repeat(breaching).await;
    survives_failure_at_each_step(breaching).await;
    survives_withdrawal_at_each_step(breaching, |fixture| {
        drop(fixture.harness.ok("DeleteAlarms", json!({ "AlarmNames": ["long"] })));
    })
    .await;
}

#[tokio::test]
async fn invokes_policies_when_the_state_changes_and_then_once_a_minute() {
    let fixture = breaching(Arc::new(FaultAt::never())).await;
    let clock = &fixture.harness.clock;
    fixture.settle().await;
    let first = fixture.invoked().unwrap();
    assert_eq!((first.at, first.values.clone()), (clock.now(), vec![80.0, 80.0]));
    clock.advance_ms(30_000);
    fixture.settle().await;
    assert_eq!(fixture.invoked().unwrap().at, first.at);
    clock.advance_ms(60_000);
    fixture.report(95.0).await;
    fixture.settle().await;
    let second = fixture.invoked().unwrap();
    assert!(second.at > first.at && second.values.last() == Some(&95.0), "{second:?}");
    // A state without policies invokes nothing.
    clock.advance_ms(600_000);
    fixture.settle().await;
    assert_eq!(fixture.invoked().unwrap().at, second.at);
    let disabled = json!({ "AlarmNames": ["long"] });
    fixture.harness.ok("DisableAlarmActions", disabled);
    fixture.report(99.0).await;
    clock.advance_ms(60_000);
    fixture.settle().await;
    assert_eq!(fixture.invoked().unwrap().at, second.at);
}

/// An alarm on another one, which is in ALARM.
struct Composed {
    harness: Harness,
    composites: Composites,
}

async fn composed(_: Arc<dyn Fate>) -> Composed {
    let harness = Harness::of(CloudWatch(Monitor::new(Arc::new(Fake::default()))));
    let composites = Composites { store: harness.store.clone(), cloud: Arc::clone(&harness.cloud) };
    harness.ok(
        "PutMetricAlarm",
        json!({ "AlarmName": "child", "EvaluationPeriods": 2, "ComparisonOperator": "GreaterThanThreshold", "Threshold": 50,
            "MetricName": "Backlog", "Namespace": "Shop", "Statistic": "Maximum", "Period": 60 }),
    );
    harness.ok("PutCompositeAlarm", parent());
    harness.ok(
        "PutCompositeAlarm",
        json!({ "AlarmName": "top", "AlarmRule": "NOT ALARM(parent) AND NOT OK(child)" }),
    );
    let composed = Composed { harness, composites };
    composed.set("child", "ALARM");
    composed
}

fn parent() -> serde_json::Value {
    json!({ "AlarmName": "parent", "AlarmRule": "ALARM(child)" })
}

impl Composed {
    fn set(&self, name: &str, state: &str) {
        let input = json!({ "AlarmName": name, "StateValue": state, "StateReason": "a test" });
        self.harness.ok("SetAlarmState", input);
    }

    /// Acts until no alarm has a step, and returns the states.
    async fn settle(&self) -> [StateValue; 2] {
        let names = ["parent", "top"];
        let plan = |name| self.composites.plan(&self.harness.store.read(), name, self.harness.clock.now());
        while let Some((name, step)) = names.iter().find_map(|name| match plan(name) {
            Plan::Step(step) => Some((*name, step)),
            _ => None,
        }) {
            self.composites.act(name, step).await.unwrap();
        }
        names.map(|name| self.harness.store.read().get::<AlarmSeen>(name).unwrap().state)
    }
}

#[async_trait]
impl Stage for Composed {
    fn store(&self) -> &Store {
        &self.harness.store
    }
    fn clock(&self) -> &Clock {
        &self.harness.clock
    }
    fn reconcilers(&self) -> Vec<&dyn Driven> {
        vec![&self.composites]
    }
    async fn world(&self) -> String {
        let image = self.harness.store.read();
        let seen: Vec<_> = image.scan::<AlarmSeen>().map(|seen| (seen.name.clone(), seen.state)).collect();
        format!("{seen:?}")
    }
}

#[tokio::test]
async fn composite_alarms_survive_repeats() {
    // They call no plane, so there is no other fault.
    survives_repeat(composed).await;
}

#[tokio::test]
async fn composite_alarms_follow_their_children_and_say_which() {
    use StateValue::{Alarm, Ok};
    let fixture = composed(Arc::new(FaultAt::never())).await;
    assert_eq!(fixture.settle().await, [Alarm, Ok]);
    let seen = |name: &str| fixture.harness.store.read().get::<AlarmSeen>(name).unwrap();
    assert!(seen("parent").reason.contains("was created and its alarm rule evaluates to ALARM"));
    fixture.harness.clock.advance_ms(1000);
    fixture.set("child", "INSUFFICIENT_DATA");
    assert_eq!(fixture.settle().await, [Ok, Alarm]);
    assert!(
        seen("parent").reason.contains(":alarm:child transitioned to INSUFFICIENT_DATA at "),
        "{:?}",
        seen("parent")
    );
    let data: serde_json::Value =
        serde_json::from_str(seen("parent").reason_data.as_deref().unwrap()).unwrap();
    assert_eq!(data["triggeringAlarms"][0]["state"]["value"], "INSUFFICIENT_DATA");
    // A state that a user sets lasts until the next evaluation, which follows at once.
    fixture.set("parent", "ALARM");
    assert_eq!(fixture.settle().await, [Ok, Alarm]);
    let items = fixture.harness.store.read();
    let changes = items.scan::<AlarmHistory>().filter(|h| h.name.as_str() == "parent");
    assert_eq!(changes.filter(|h| h.summary.contains("updated from")).count(), 4);
}

#[tokio::test]
async fn suppressed_actions_are_shown_until_the_periods_end() {
    let fixture = composed(Arc::new(FaultAt::never())).await;
    fixture.settle().await;
    let harness = &fixture.harness;
    harness.ok("PutCompositeAlarm", json!({ "AlarmName": "window", "AlarmRule": "FALSE" }));
    let mut suppressed = parent();
    suppressed["ActionsSuppressor"] = "window".into();
    suppressed["ActionsSuppressorWaitPeriod"] = 10.into();
    suppressed["ActionsSuppressorExtensionPeriod"] = 20.into();
    harness.ok("PutCompositeAlarm", suppressed.clone());
    let shown = async || {
        fixture.settle().await;
        let named = json!({ "AlarmNames": ["parent"], "AlarmTypes": ["CompositeAlarm"] });
        let alarm = &harness.ok("DescribeAlarms", named)["CompositeAlarms"][0];
        let reason = alarm["ActionsSuppressedReason"].as_str().unwrap_or_default();
        assert_eq!(reason.contains(":alarm:window"), !reason.is_empty(), "{reason}");
        alarm["ActionsSuppressedBy"].as_str().map(str::to_owned)
    };
    assert_eq!(shown().await, None);
    fixture.set("child", "OK");
    assert_eq!(shown().await.as_deref(), Some("WaitPeriod"));
    let plan = || fixture.composites.plan(&harness.store.read(), "parent", harness.clock.now());
    assert!(matches!(plan(), Plan::Wait { until: Some(_), .. }), "it comes back by itself");
    harness.clock.advance_ms(10_000);
    assert_eq!(shown().await, None);
    // The rule of the suppressor holds for a while.
    harness.ok("PutCompositeAlarm", json!({ "AlarmName": "window", "AlarmRule": "TRUE" }));
    let window = || fixture.composites.plan(&harness.store.read(), "window", harness.clock.now());
    while let Plan::Step(step) = window() {
        fixture.composites.act("window", step).await.unwrap();
    }
    assert_eq!(shown().await.as_deref(), Some("Alarm"));
    fixture.set("child", "ALARM");
    harness.ok("PutCompositeAlarm", json!({ "AlarmName": "window", "AlarmRule": "FALSE" }));
    while let Plan::Step(step) = window() {
        fixture.composites.act("window", step).await.unwrap();
    }
    assert_eq!(shown().await.as_deref(), Some("ExtensionPeriod"));
    harness.clock.advance_ms(20_000);
    assert_eq!(shown().await, None);
    let refused = harness.error("DeleteAlarms", json!({ "AlarmNames": ["window"] }));
    assert!(refused.message.contains("names it"), "{refused}");
    harness.ok("PutCompositeAlarm", parent());
    harness.ok("DeleteAlarms", json!({ "AlarmNames": ["window"] }));
}
