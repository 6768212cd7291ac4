//! CloudFormation: alarms of both kinds, and dashboards.

use crate::{
    alarms::arn,
    ops::{
        delete_alarms::DeleteAlarms, delete_dashboards::DeleteDashboards, describe_alarms::DescribeAlarms,
        get_dashboard::GetDashboard, list_tags_for_resource::ListTagsForResource,
        put_composite_alarm::PutCompositeAlarm, put_dashboard::PutDashboard,
        put_metric_alarm::PutMetricAlarm, tag_resource::TagResource, untag_resource::UntagResource,
    },
};
use escale_base::{
    AwsError, already_gone, found,
    wire::{Map, Value},
};
use escale_service::{
    Created, Cx, InputDraft, Props, ResourceType, Resources, Update, own_tags, properties_of,
};
use escale_tables::cloudwatch::{AlarmName, AlarmType};

const ALARM: &str = "AWS::CloudWatch::Alarm";
const COMPOSITE: &str = "AWS::CloudWatch::CompositeAlarm";
const DASHBOARD: &str = "AWS::CloudWatch::Dashboard";

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
    let alarm = alarm.update(update).read(read).adopt(|cx, name, _| Ok(described(cx, name)));
    let properties = &[
        "AlarmName",
        "ActionsSuppressor",
        "ActionsSuppressorExtensionPeriod",
        "ActionsSuppressorWaitPeriod",
        "AlarmRule",
        "AlarmDescription",
        "ActionsEnabled",
        "OKActions",
        "AlarmActions",
        "InsufficientDataActions",
        "Tags",
    ];
    let composite = ResourceType::new(COMPOSITE, properties, create_composite, delete);
    let composite =
        composite.update(update_composite).read(read_composite).adopt(|cx, name, _| Ok(described(cx, name)));
    let dashboard =
        ResourceType::new(DASHBOARD, &["DashboardName", "DashboardBody"], create_dashboard, delete_dashboard);
    vec![alarm, composite, dashboard.update(update_dashboard).read(read_dashboard)]
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

fn create_composite(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let name = props.name_or_generated("AlarmName", 255);
    put_composite(cx, props, &name)?;
    Ok(described(cx, &name))
}

fn put_composite(cx: &mut Cx<'_>, props: &Props<'_>, name: &str) -> Result<(), AwsError> {
    let input =
        props.input_without::<PutCompositeAlarm>(&["AlarmName", "Tags"]).with("AlarmName", &name.to_owned());
    input.with("Tags", &props.tags()?).call(cx)
}

fn update(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    update_with(cx, update, put)
}

fn update_composite(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    update_with(cx, update, put_composite)
}

fn update_with(
    cx: &mut Cx<'_>,
    update: &Update<'_>,
    put: impl FnOnce(&mut Cx<'_>, &Props<'_>, &str) -> Result<(), AwsError>,
) -> Result<Created, AwsError> {
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
    with_tags(cx, name, properties_of(ALARM, &alarm, &[]))
}

fn read_composite(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let name = &created.physical_id;
    let named = InputDraft::<DescribeAlarms>::new().with("AlarmNames", &vec![name.clone()]);
    let named = named.with("AlarmTypes", &vec![AlarmType::Composite]);
    let Some(alarm) = named.call(cx)?.composite_alarms.pop() else { return Ok(None) };
    with_tags(cx, name, properties_of(COMPOSITE, &alarm, &[]))
}

fn with_tags(
    cx: &mut Cx<'_>,
    name: &str,
    mut properties: Map<String, Value>,
) -> Result<Option<Map<String, Value>>, AwsError> {
    let arn = arn(cx.config, &AlarmName(name.to_owned()));
    let tags = InputDraft::<ListTagsForResource>::new().with("ResourceARN", &arn).call(cx)?.tags;
    properties.insert("Tags".into(), own_tags(&tags));
    Ok(Some(properties))
}

fn delete(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let names = vec![created.physical_id.clone()];
    already_gone(InputDraft::<DeleteAlarms>::new().with("AlarmNames", &names).call(cx))
}

fn create_dashboard(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let name = props.name_or_generated("DashboardName", 255);
    put_dashboard(cx, props, &name)?;
    Ok(Created::new(name))
}

fn put_dashboard(cx: &mut Cx<'_>, props: &Props<'_>, name: &str) -> Result<(), AwsError> {
    let input = props.input::<PutDashboard>(&["DashboardBody"]).with("DashboardName", &name.to_owned());
    input.call(cx).map(drop)
}

fn update_dashboard(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    put_dashboard(cx, update.after, &update.created.physical_id)?;
    Ok(update.created.clone())
}

fn read_dashboard(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let input = InputDraft::<GetDashboard>::new().with("DashboardName", &created.physical_id);
    let Some(got) = found(input.call(cx))? else { return Ok(None) };
    let name = ("DashboardName".to_owned(), created.physical_id.as_str().into());
    Ok(Some(Map::from_iter([name, ("DashboardBody".to_owned(), got.dashboard_body.into())])))
}

fn delete_dashboard(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let names = vec![created.physical_id.clone()];
    already_gone(InputDraft::<DeleteDashboards>::new().with("DashboardNames", &names).call(cx))
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
    fn updates_every_property_of_composite_alarms() {
        let base = || {
            let harness = harness();
            harness.ok("PutMetricAlarm", base());
            let mut low = base();
            low["AlarmName"] = "low-cpu".into();
            harness.ok("PutMetricAlarm", low);
            // The three properties of the suppressor exist together only.
            let composite = json!({ "AlarmName": "any", "AlarmRule": "ALARM(high-cpu)", "ActionsSuppressor": "high-cpu",
                "ActionsSuppressorWaitPeriod": 60, "ActionsSuppressorExtensionPeriod": 30 });
            (harness, composite)
        };
        PropertyTable::new(super::COMPOSITE, base)
            .row("AlarmRule", "ALARM(high-cpu)".into(), "NOT OK(\"high-cpu\")".into())
            .row("AlarmDescription", "one".into(), "other".into())
            .row("ActionsEnabled", true.into(), false.into())
            .row("ActionsSuppressor", "high-cpu".into(), "low-cpu".into())
            .row("ActionsSuppressorWaitPeriod", 60.into(), 120.into())
            .row("ActionsSuppressorExtensionPeriod", 30.into(), 0.into())
            .row("Tags", json!([{ "Key": "a", "Value": "1" }]), json!([{ "Key": "b", "Value": "2" }]))
            .exempt(&[
                ("OKActions", "no service of the harness can be an action"),
                ("AlarmActions", "no service of the harness can be an action"),
                ("InsufficientDataActions", "no service of the harness can be an action"),
            ])
            .check();
    }

    #[test]
    fn composite_alarms_depend_on_existing_alarms_without_cycles() {
        let harness = harness();
        let put = |name: &str, rule: &str| json!({ "AlarmName": name, "AlarmRule": rule });
        let missing = harness.error("PutCompositeAlarm", put("any", "ALARM(high-cpu)"));
        assert_eq!((missing.code.as_str(), missing.message.contains("high-cpu")), ("ValidationError", true));
        harness.ok("PutMetricAlarm", base());
        harness.ok("PutCompositeAlarm", put("low", "ALARM(high-cpu)"));
        harness.ok("PutCompositeAlarm", put("middle", "OK(low)"));
        harness.ok("PutCompositeAlarm", put("top", "ALARM(middle) OR ALARM(high-cpu)"));
        for rule in ["ALARM(top)", "NOT ALARM(middle)", "ALARM(low)"] {
            let cycle = harness.error("PutCompositeAlarm", put("low", rule));
            assert!(cycle.message.contains("depend on itself"), "{cycle}");
        }
        let name = harness.error("PutCompositeAlarm", put("high-cpu", "TRUE"));
        assert!(name.message.contains("metric alarm named high-cpu"), "{name}");
        let mut metric = base();
        metric["AlarmName"] = "top".into();
        assert!(harness.error("PutMetricAlarm", metric).message.contains("composite alarm named top"));
        let scales = "arn:aws:autoscaling:eu-west-3:000000000000:scalingPolicy:1:resource/ecs/service/shop/web:policyName/p";
        let mut scaling = put("scaling", "TRUE");
        scaling["AlarmActions"] = json!([scales]);
        assert!(
            harness.error("PutCompositeAlarm", scaling).message.contains("cannot invoke a scaling policy")
        );
        for (suppressor, wait, words) in [
            (json!("high-cpu"), Value::Null, "must be specified together"),
            (Value::Null, json!(60), "must be specified together"),
            (json!("none"), json!(60), "none, which does not exist"),
            (json!("any"), json!(60), "its own ActionsSuppressor"),
            (json!("high-cpu"), json!(-1), "it is -1"),
        ] {
            let mut suppressed = put("any", "TRUE");
            for (key, value) in [("", suppressor), ("WaitPeriod", wait.clone()), ("ExtensionPeriod", wait)] {
                if !value.is_null() {
                    suppressed[format!("ActionsSuppressor{key}")] = value;
                }
            }
            let error = harness.error("PutCompositeAlarm", suppressed);
            assert!(error.message.contains(words), "{error}");
        }

        let delete = |names: &[&str]| json!({ "AlarmNames": names });
        let needed = harness.error("DeleteAlarms", delete(&["high-cpu"]));
        assert!(needed.message.contains("names it"), "{needed}");
        assert!(harness.error("DeleteAlarms", delete(&["top", "middle"])).message.contains("At most one"));
        for name in ["top", "middle"] {
            harness.ok("DeleteAlarms", delete(&[name]));
        }
        harness.ok("DeleteAlarms", delete(&["low", "high-cpu"]));
    }

    #[test]
    fn composite_alarms_are_listed_on_request_only() {
        let harness = harness();
        harness.ok("PutMetricAlarm", base());
        harness.ok("PutCompositeAlarm", json!({ "AlarmName": "any", "AlarmRule": "TRUE" }));
        let listed = |input| {
            let answer = harness.ok("DescribeAlarms", input);
            ["MetricAlarms", "CompositeAlarms"].map(|kind| answer[kind].as_array().map_or(0, Vec::len))
        };
        assert_eq!(listed(json!({})), [1, 0]);
        assert_eq!(listed(json!({ "AlarmTypes": ["CompositeAlarm"] })), [0, 1]);
        let both = json!(["CompositeAlarm", "MetricAlarm"]);
        assert_eq!(listed(json!({ "AlarmTypes": both })), [1, 1]);
        let first = harness.ok("DescribeAlarms", json!({ "AlarmTypes": both, "MaxRecords": 1 }));
        assert_eq!(first["CompositeAlarms"][0]["AlarmName"], "any");
        assert_eq!(listed(json!({ "AlarmTypes": both, "NextToken": first["NextToken"] })), [1, 0]);
        let items = |input| {
            let answer = harness.ok("DescribeAlarmHistory", input);
            answer["AlarmHistoryItems"].as_array().map_or(0, Vec::len)
        };
        assert_eq!((items(json!({ "AlarmName": "any" })), items(json!({}))), (0, 1));
        assert_eq!(items(json!({ "AlarmName": "any", "AlarmTypes": ["CompositeAlarm"] })), 1);
        harness.ok("DisableAlarmActions", json!({ "AlarmNames": ["any", "high-cpu"] }));
        let described = harness.ok("DescribeAlarms", json!({ "AlarmTypes": both }));
        for kind in ["MetricAlarms", "CompositeAlarms"] {
            assert_eq!(described[kind][0]["ActionsEnabled"], false, "{kind}");
        }
    }

    #[test]
    fn dashboards_are_recorded() {
        let base = || (harness(), json!({ "DashboardName": "shop", "DashboardBody": "{}" }));
        PropertyTable::new(super::DASHBOARD, base)
            .row("DashboardBody", "{\"widgets\":[]}".into(), "{\"start\":\"-PT1H\"}".into())
            .check();
        let refused =
            harness().error("PutDashboard", json!({ "DashboardName": "shop", "DashboardBody": "[" }));
        assert_eq!(refused.code, "InvalidParameterInput");
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
