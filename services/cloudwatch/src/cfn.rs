//! CloudFormation: `AWS::CloudWatch::Alarm`.

use crate::{
    alarms::arn,
    ops::{
        delete_alarms::DeleteAlarms, describe_alarms::DescribeAlarms,
        list_tags_for_resource::ListTagsForResource, put_metric_alarm::PutMetricAlarm,
        tag_resource::TagResource, untag_resource::UntagResource,
    },
};
use escale_base::{
    AwsError, already_gone,
    wire::{Map, Value},
};
use escale_service::{
    Created, Cx, InputDraft, Props, ResourceType, Resources, Update, own_tags, properties_of,
};
use escale_tables::cloudwatch::AlarmName;

const ALARM: &str = "AWS::CloudWatch::Alarm";

pub(crate) fn types() -> Resources {
    let properties = &[
        "AlarmName",
        "AlarmDescription",
        "ActionsEnabled",
        "OKActions",
        "AlarmActions",
        "InsufficientDataActions",
        "MetricName",
        "Namespace",
        "Statistic",
        "ExtendedStatistic",
        "Dimensions",
        "Period",
        "Unit",
        "EvaluationPeriods",
        "DatapointsToAlarm",
        "Threshold",
        "ComparisonOperator",
        "TreatMissingData",
        "EvaluateLowSampleCountPercentile",
        "Metrics",
        "Tags",
    ];
    let alarm = ResourceType::new(ALARM, properties, create, delete);
    vec![alarm.update(update).read(read).adopt(|cx, name, _| Ok(described(cx, name)))]
}

fn create(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let name = props.name_or_generated("AlarmName", 255);
    put(cx, props, &name)?;
    Ok(described(cx, &name))
}

/// PutMetricAlarm replaces everything but the tags of an existing alarm.
fn put(cx: &mut Cx<'_>, props: &Props<'_>, name: &str) -> Result<(), AwsError> {
    let input =
        props.input_without::<PutMetricAlarm>(&["AlarmName", "Tags"]).with("AlarmName", &name.to_owned());
    input.with("Tags", &props.tags()?).call(cx)
}

fn described(cx: &Cx<'_>, name: &str) -> Created {
    Created::new(name).with("Arn", arn(cx.config, &AlarmName(name.to_owned())))
}

fn update(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let name = update.created.physical_id.clone();
    if update.changed.iter().any(|property| property != "Tags") {
        put(cx, update.after, &name)?;
    }
    let arn = arn(cx.config, &AlarmName(name));
    let (set, removed) = update.tags()?;
    if !set.is_empty() {
        InputDraft::<TagResource>::new().with("ResourceARN", &arn).with("Tags", &set).call(cx)?;
    }
    if !removed.is_empty() {
        InputDraft::<UntagResource>::new().with("ResourceARN", &arn).with("TagKeys", &removed).call(cx)?;
    }
    Ok(update.created.clone())
}

fn read(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let name = &created.physical_id;
    let named = InputDraft::<DescribeAlarms>::new().with("AlarmNames", &vec![name.clone()]);
    let Some(alarm) = named.call(cx)?.metric_alarms.pop() else { return Ok(None) };
    let mut properties = properties_of(ALARM, &alarm, &[]);
    let arn = arn(cx.config, &AlarmName(name.clone()));
    let tags = InputDraft::<ListTagsForResource>::new().with("ResourceARN", &arn).call(cx)?.tags;
    properties.insert("Tags".into(), own_tags(&tags));
    Ok(Some(properties))
}

fn delete(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let names = vec![created.physical_id.clone()];
    already_gone(InputDraft::<DeleteAlarms>::new().with("AlarmNames", &names).call(cx))
}

#[cfg(test)]
mod tests {
    use crate::{CloudWatch, Monitor};
    use escale_base::wire::Value;
    use escale_harness::{Harness, PropertyTable};
    use escale_metrics::Fake;
    use serde_json::json;
    use std::sync::Arc;

    const TYPE: &str = super::ALARM;

    fn harness() -> Harness {
        Harness::of(CloudWatch(Monitor::new(Arc::new(Fake::default()))))
    }

    fn base() -> Value {
        json!({ "AlarmName": "high-cpu", "EvaluationPeriods": 3, "ComparisonOperator": "GreaterThanThreshold", "Threshold": 50,
            "MetricName": "CPUUtilization", "Namespace": "AWS/ECS", "Statistic": "Average", "Period": 60 })
    }

    #[test]
    fn updates_every_property() {
        PropertyTable::new(TYPE, || (harness(), base()))
            .row("AlarmDescription", "one".into(), "other".into())
            .row("ActionsEnabled", true.into(), false.into())
            .row("MetricName", "CPUUtilization".into(), "MemoryUtilization".into())
            .row("Namespace", "AWS/ECS".into(), "Shop".into())
            .row("Statistic", "Average".into(), "Maximum".into())
            .row("Dimensions", json!([{ "Name": "ClusterName", "Value": "shop" }]), Value::Null)
            .row("Period", 60.into(), 300.into())
            .row("Unit", "Percent".into(), Value::Null)
            .row("EvaluationPeriods", 3.into(), 5.into())
            .row("DatapointsToAlarm", 2.into(), Value::Null)
            .row("Threshold", 50.into(), json!(0.5))
            .row("ComparisonOperator", "GreaterThanThreshold".into(), "LessThanThreshold".into())
            .row("TreatMissingData", "breaching".into(), Value::Null)
            .row("EvaluateLowSampleCountPercentile", "ignore".into(), Value::Null)
            .row("Tags", json!([{ "Key": "a", "Value": "1" }]), json!([{ "Key": "b", "Value": "2" }]))
            .exempt(&[
                ("OKActions", "no service of the harness can be an action"),
                ("AlarmActions", "no service of the harness can be an action"),
                ("InsufficientDataActions", "no service of the harness can be an action"),
                ("ExtendedStatistic", "excludes Statistic"),
                ("Metrics", "excludes the members of a single metric"),
            ])
            .check();
    }

    #[test]
    fn refuses_actions_of_missing_services() {
        let mut alarm = base();
        alarm["AlarmActions"] = json!(["arn:aws:sns:eu-west-3:000000000000:alerts"]);
        let error = harness().error("PutMetricAlarm", alarm.clone());
        assert_eq!(
            (error.code.as_str(), error.message.contains("of sns")),
            ("NotImplemented", true),
            "{error}"
        );
        alarm["AlarmActions"] = json!(["arn:aws:lambda:eu-west-3:000000000000:function:f"]);
        let error = harness().error("PutMetricAlarm", alarm);
        assert!(error.message.contains("arn:aws:lambda"), "{error}");
    }

    #[test]
    fn refuses_contradictions() {
        let mut alarm = base();
        alarm["ExtendedStatistic"] = "p99".into();
        assert_eq!(harness().error("PutMetricAlarm", alarm).code, "InvalidParameterCombination");
        for (member, value) in
            [("Period", json!(45)), ("DatapointsToAlarm", json!(4)), ("EvaluationPeriods", json!(2000))]
        {
            let mut alarm = base();
            alarm[member] = value;
            assert_eq!(harness().error("PutMetricAlarm", alarm).code, "ValidationError", "{member}");
        }
        let mut alarm = base();
        alarm["ComparisonOperator"] = "GreaterThanUpperThreshold".into();
        assert_eq!(harness().error("PutMetricAlarm", alarm).code, "NotImplemented");
    }

    #[test]
    fn states_have_a_history() {
        let harness = harness();
        harness.ok("PutMetricAlarm", base());
        let alarm = || harness.ok("DescribeAlarms", json!({}))["MetricAlarms"][0].clone();
        assert_eq!(alarm()["StateValue"], "INSUFFICIENT_DATA");
        let state = json!({ "AlarmName": "high-cpu", "StateValue": "ALARM", "StateReason": "a test" });
        harness.ok("SetAlarmState", state);
        assert_eq!(
            (alarm()["StateValue"].clone(), alarm()["StateReason"].clone()),
            ("ALARM".into(), "a test".into())
        );
        let items =
            harness.ok("DescribeAlarmHistory", json!({ "AlarmName": "high-cpu" }))["AlarmHistoryItems"]
                .clone();
        assert_eq!(items[0]["HistorySummary"], "Alarm updated from INSUFFICIENT_DATA to ALARM");
        assert_eq!(items[1]["HistorySummary"], "Alarm \"high-cpu\" created");
        harness.ok("DeleteAlarms", json!({ "AlarmNames": ["high-cpu"] }));
        assert_eq!(harness.ok("DescribeAlarmHistory", json!({}))["AlarmHistoryItems"], json!([]));
        assert_eq!(
            harness.error("DeleteAlarms", json!({ "AlarmNames": ["high-cpu"] })).code,
            "ResourceNotFound"
        );
    }
}
