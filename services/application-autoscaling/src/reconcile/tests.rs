use super::*;
use crate::testing::{RESOURCE, Shop};
use async_trait::async_trait;
use escale_base::Clock;
use escale_faults::{
    Driven, Fate, Stage, survives_failure_at_each_step, survives_repeat, survives_withdrawal_at_each_step,
};
use escale_tables::ecs::Outcome;
use serde_json::json;

struct Fixture {
    shop: Shop,
    targets: Targets,
    world: fn(&Shop) -> String,
}

impl Fixture {
    fn of(shop: Shop) -> Fixture {
        let targets = Targets { store: shop.harness.store.clone(), cloud: Arc::clone(&shop.harness.cloud) };
        Fixture { shop, targets, world: |shop| format!("{} {:?}", shop.desired(), shop.activities()) }
    }

    fn plan(&self) -> Plan<Next> {
        self.targets.plan(&self.shop.harness.store.read(), RESOURCE, self.shop.harness.clock.now())
    }

    async fn settle(&self) {
        while let Plan::Step(step) = self.plan() {
            self.targets.act(RESOURCE, step).await.unwrap();
        }
    }

    /// Settles, starts or stops the tasks, and lets time pass.
    async fn fulfilled_after(&self, secs: i64) {
        self.settle().await;
        self.shop.run_tasks(self.shop.desired());
        self.settle().await;
        self.shop.harness.clock.advance_ms(secs * 1000);
    }
}

/// A service below its minimum, and a load of six times its target.
async fn below_its_minimum(fate: Arc<dyn Fate>) -> Fixture {
    let shop = Shop::with(1, fate);
    shop.register(2, 20);
    let (high, _) = shop.track("cpu");
    shop.invoke(&high, 300.0);
    Fixture::of(shop)
}

#[async_trait]
impl Stage for Fixture {
    fn store(&self) -> &Store {
        &self.shop.harness.store
    }
    fn clock(&self) -> &Clock {
        &self.shop.harness.clock
    }
    fn reconcilers(&self) -> Vec<&dyn Driven> {
        vec![&self.targets]
    }
    async fn world(&self) -> String {
        (self.world)(&self.shop)
    }
}

#[tokio::test]
async fn survives_repeats_and_failures_at_each_step() {
    survives_repeat(below_its_minimum).await;
    survives_failure_at_each_step(below_its_minimum).await;
}

/// The count and the activities stay, as on AWS. The progress must not.
#[tokio::test]
async fn survives_deregistration_at_each_step() {
    let make = async |fate: Arc<dyn Fate>| {
        let world = |shop: &Shop| format!("{:?}", shop.progress());
        Fixture { world, ..below_its_minimum(fate).await }
    };
    let deregister = |fixture: &Fixture| drop(fixture.shop.call("DeregisterScalableTarget", json!({})));
    survives_withdrawal_at_each_step(make, deregister).await;
}

#[tokio::test]
async fn capacity_follows_the_load_and_comes_back() {
    let fixture = Fixture::of(Shop::running(2));
    let shop = &fixture.shop;
    shop.register(2, 20);
    let (high, low) = shop.track("cpu");
    shop.invoke(&high, 500.0);
    fixture.settle().await;
    assert_eq!(shop.desired(), 20);
    assert!(shop.activities()[0].starts_with(
        "InProgress Setting desired count to 20.: monitor alarm TargetTracking-service/shop/web-AlarmHigh-"
    ));
    assert!(shop.activities()[0].ends_with("in state ALARM triggered policy cpu"));
    fixture.fulfilled_after(60).await;
    assert!(shop.activities()[0].starts_with("Successful"));
    // Ten percent of the target, and the scale-in has no cooldown to wait for.
    shop.invoke(&low, 5.0);
    fixture.fulfilled_after(60).await;
    assert_eq!(shop.desired(), 2);
    assert_eq!(shop.activities().len(), 2);
}

#[tokio::test]
async fn cooldowns_begin_when_the_tasks_run() {
    let fixture = Fixture::of(Shop::running(10));
    let shop = &fixture.shop;
    shop.register(1, 20);
    let (_, low) = shop.track("cpu");
    shop.invoke(&low, 40.0);
    fixture.settle().await;
    assert_eq!(shop.desired(), 8);
    shop.harness.clock.advance_ms(400_000);
    shop.invoke(&low, 25.0);
    fixture.settle().await;
    assert_eq!(shop.desired(), 8, "tasks still stop");
    shop.run_tasks(8);
    fixture.settle().await;
    for (secs, expected) in [(299, 8), (1, 4)] {
        shop.harness.clock.advance_ms(secs * 1000);
        shop.invoke(&low, 25.0);
        fixture.settle().await;
        assert_eq!(shop.desired(), expected, "{secs}");
    }
}

#[tokio::test]
async fn all_tracking_policies_agree_and_a_deployment_prevents_scaling_in() {
    let fixture = Fixture::of(Shop::running(10));
    let shop = &fixture.shop;
    shop.register(1, 20);
    let ((_, one), (_, other)) = (shop.track("one"), shop.track("two"));
    shop.invoke(&one, 5.0);
    fixture.settle().await;
    assert_eq!(shop.desired(), 10, "the other policy's alarm has no state yet");
    shop.change(|service| service.deployments[0].outcome = Outcome::InProgress);
    shop.harness.clock.advance_ms(60_000);
    shop.invoke(&one, 5.0);
    shop.invoke(&other, 30.0);
    fixture.settle().await;
    assert_eq!(shop.desired(), 10, "a deployment is in progress");
    shop.change(|service| service.deployments[0].outcome = Outcome::Completed);
    shop.harness.clock.advance_ms(60_000);
    shop.invoke(&one, 5.0);
    fixture.settle().await;
    assert_eq!(shop.desired(), 6, "the larger of 1 and 6");
}

#[tokio::test]
async fn limits_apply_once_when_they_change() {
    let fixture = Fixture::of(Shop::running(1));
    let shop = &fixture.shop;
    shop.register(3, 5);
    fixture.fulfilled_after(1).await;
    assert_eq!(shop.activities(), ["Successful Setting desired count to 3.: minimum capacity was set to 3"]);
    shop.change(|service| service.desired = 9);
    fixture.fulfilled_after(1).await;
    assert_eq!(shop.desired(), 9, "set by hand");
    shop.register(3, 6);
    fixture.fulfilled_after(1).await;
    assert_eq!(shop.desired(), 6);
    assert!(shop.activities()[1].ends_with("maximum capacity was set to 6"));
}

#[tokio::test]
async fn reasons_for_not_scaling_are_recorded_once() {
    let fixture = Fixture::of(Shop::running(4));
    let shop = &fixture.shop;
    shop.register(2, 4);
    let (high, _) = shop.track("cpu");
    for _ in 0..3 {
        shop.invoke(&high, 90.0);
        fixture.fulfilled_after(60).await;
    }
    let all = shop.activities();
    assert_eq!(all.len(), 1);
    assert!(all[0].starts_with("Failed AlreadyAtMaxCapacity 4: monitor alarm "), "{all:?}");
    let shown = |all: bool| {
        let of = json!({"ServiceNamespace": "ecs", "IncludeNotScaledActivities": all});
        shop.harness.ok("DescribeScalingActivities", of)["ScalingActivities"].clone()
    };
    assert_eq!(shown(false), json!([]));
    assert_eq!(
        shown(true)[0]["NotScaledReasons"],
        json!([{"Code": "AlreadyAtMaxCapacity", "MaxCapacity": 4}])
    );
}

#[tokio::test]
async fn step_policies_answer_alarms_of_users() {
    let fixture = Fixture::of(Shop::running(4));
    let shop = &fixture.shop;
    shop.register(1, 20);
    let steps = json!([
        {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 20, "ScalingAdjustment": 1},
        {"MetricIntervalLowerBound": 20, "ScalingAdjustment": 5},
    ]);
    let configuration = json!({"AdjustmentType": "ChangeInCapacity", "StepAdjustments": steps, "MetricAggregationType": "Maximum"});
    let put = shop.call(
        "PutScalingPolicy",
        json!({"PolicyName": "queue", "StepScalingPolicyConfiguration": configuration}),
    );
    assert_eq!(put["Alarms"], json!([]));
    let arn = put["PolicyARN"].as_str().unwrap().to_owned();
    shop.harness.write(|tx| tx.put(crate::testing::alarm("queue-long", vec![arn], 100.0)));
    shop.invoke(&"queue-long".into(), 130.0);
    fixture.fulfilled_after(60).await;
    assert_eq!(shop.desired(), 9);
    assert_eq!(
        shop.activities(),
        [
            "Successful Setting desired count to 9.: monitor alarm queue-long in state ALARM triggered policy queue"
        ]
    );
}

#[tokio::test]
async fn suspended_scaling_waits_and_goes_on() {
    let fixture = Fixture::of(Shop::running(2));
    let shop = &fixture.shop;
    shop.register(2, 8);
    let (high, _) = shop.track("cpu");
    let suspend = |is: bool| {
        let state = json!({"SuspendedState": {"DynamicScalingOutSuspended": is}});
        shop.call("RegisterScalableTarget", state);
    };
    suspend(true);
    for expected in [2, 8] {
        shop.harness.clock.advance_ms(60_000);
        shop.invoke(&high, 500.0);
        fixture.settle().await;
        assert_eq!(shop.desired(), expected);
        suspend(false);
    }
}

#[tokio::test]
async fn scheduled_actions_set_limits_at_their_times() {
    let fixture = Fixture::of(Shop::running(2));
    let shop = &fixture.shop;
    shop.register(1, 4);
    let action = json!({"ScheduledActionName": "busy", "Schedule": "rate(5 minutes)", "ScalableTargetAction": {"MinCapacity": 6}});
    shop.call("PutScheduledAction", action);
    fixture.settle().await;
    let due = shop.harness.clock.now().plus_ms(300_000);
    assert_eq!(fixture.plan(), Plan::wait_until(due, "no scheduled action is due"));
    shop.harness.clock.advance_ms(300_000);
    fixture.fulfilled_after(0).await;
    assert_eq!(shop.desired(), 6);
    assert_eq!(
        shop.activities(),
        [
            "Successful Setting min capacity to 6 and max capacity to 6: scheduled action busy was triggered",
            "Successful Setting desired count to 6.: minimum capacity was set to 6",
        ]
    );
    // While no daemon runs, several times pass. One of them counts.
    shop.harness.clock.advance_ms(3_000_000);
    fixture.settle().await;
    assert_eq!(shop.activities().len(), 3);
}

#[tokio::test]
async fn a_service_that_is_gone_is_left_alone() {
    let fixture = Fixture::of(Shop::running(2));
    let shop = &fixture.shop;
    shop.register(4, 8);
    shop.change(|service| service.deleted = Some(Timestamp(1)));
    assert_eq!(fixture.plan(), Plan::Done);
    assert_eq!(shop.desired(), 2);
}
