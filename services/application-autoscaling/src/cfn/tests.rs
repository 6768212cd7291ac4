use super::*;
use crate::testing::{RESOURCE, Shop};
use escale_harness::{Harness, PropertyTable};
use escale_tables::cloudwatch::Alarm;
use serde_json::json;

fn target() -> (Harness, Value) {
    let base = json!({
        "ServiceNamespace": "ecs", "ResourceId": RESOURCE, "ScalableDimension": "ecs:service:DesiredCount", "MinCapacity": 1,
        "MaxCapacity": 4,
    });
    (Shop::running(2).harness, base)
}

fn policy() -> (Harness, Value) {
    let shop = Shop::running(2);
    shop.register(1, 4);
    let base = json!({"PolicyName": "cpu", "PolicyType": "TargetTrackingScaling", "ScalingTargetId": target_id(RESOURCE)});
    (shop.harness, base)
}

#[test]
fn target_changes_every_property() {
    let action = |schedule: &str, max: u32| {
        json!([{"ScheduledActionName": "night", "Schedule": schedule, "Timezone": "UTC", "StartTime": "2030-01-01T00:00:00Z",
            "ScalableTargetAction": {"MinCapacity": 1, "MaxCapacity": max}}])
    };
    let suspended = |is: bool| json!({"DynamicScalingInSuspended": is, "DynamicScalingOutSuspended": false, "ScheduledScalingSuspended": !is});
    PropertyTable::new(TARGET, target)
        .row("MinCapacity", 1.into(), 2.into())
        .row("MaxCapacity", 4.into(), 8.into())
        .row("SuspendedState", suspended(true), suspended(false))
        .row("ScheduledActions", action("cron(0 2 * * ? *)", 2), action("rate(1 day)", 3))
        .row("ScheduledActions", action("rate(2 days)", 2), Value::Null)
        .row("Tags", json!([{"Key": "a", "Value": "1"}]), json!([{"Key": "b", "Value": "2"}]))
        .exempt(&[("RoleARN", "the service-linked role is the only one")])
        .check();
}

#[test]
fn policy_changes_every_property() {
    let tracking = |metric: &str, target: f64| json!({"PredefinedMetricSpecification": {"PredefinedMetricType": metric}, "TargetValue": target, "ScaleInCooldown": 60});
    PropertyTable::new(POLICY, policy)
        .write_only(&["ScalingTargetId"])
        .row(
            "TargetTrackingScalingPolicyConfiguration",
            tracking("ECSServiceAverageCPUUtilization", 60.5),
            tracking("ECSServiceAverageMemoryUtilization", 70.0),
        )
        .exempt(&[
            ("PolicyType", "changes with its configuration"),
            ("StepScalingPolicyConfiguration", "excludes the other one"),
        ])
        .check();
}

#[test]
fn a_policy_can_become_one_of_another_type() {
    let (harness, mut properties) = policy();
    properties["TargetTrackingScalingPolicyConfiguration"] = json!({"PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}, "TargetValue": 60});
    let mut made = harness.create_resource(POLICY, properties.clone()).unwrap();
    let alarms = || harness.store.read().scan::<Alarm>().count();
    assert_eq!(alarms(), 2);
    properties["PolicyType"] = "StepScaling".into();
    properties.as_object_mut().unwrap().remove("TargetTrackingScalingPolicyConfiguration");
    properties["StepScalingPolicyConfiguration"] = json!({
        "AdjustmentType": "PercentChangeInCapacity", "MinAdjustmentMagnitude": 1, "Cooldown": 30,
        "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 20}],
    });
    harness.update_resource(&mut made, properties).unwrap();
    assert_eq!(alarms(), 0);
    assert_eq!(harness.read_resource(&made)["StepScalingPolicyConfiguration"]["Cooldown"], 30);
    harness.delete_resource(&made).unwrap();
    harness.delete_resource(&made).unwrap();
}

#[test]
fn ids_name_targets_of_ecs_only() {
    assert_eq!(resource_of("service/a/b|ecs:service:DesiredCount|ecs").unwrap(), "service/a/b");
    for id in [
        "service/a/b",
        "service/a/b|ecs:service:DesiredCount|rds",
        "table/t|dynamodb:table:ReadCapacityUnits|dynamodb",
    ] {
        assert!(resource_of(id).is_err(), "{id}");
    }
}
