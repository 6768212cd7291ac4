//! The message that an alarm sends to a topic.
//!
//! Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html>

use super::{
    arn, composite,
    reason::moment,
    subject::{Kind, Subject},
    unit_text,
};
use escale_service::Config;
use escale_tables::cloudwatch::{Alarm, AlarmSeen, MissingData, Watch};
use serde_json::{Value, json};

pub(crate) struct Notification {
    pub(crate) subject: String,
    pub(crate) message: String,
}

pub(crate) fn of(config: &Config, alarm: &Subject<'_>, before: &AlarmSeen, now: &AlarmSeen) -> Notification {
    let region = region_name(&config.region);
    // AWS cuts the subject to the longest one that SNS accepts.
    let subject: String = format!("{}: \"{}\" in {region}", now.state, alarm.name).chars().take(99).collect();
    let mut message = json!({
        "AlarmName": alarm.name.as_str(),
        "AlarmDescription": alarm.description,
        "AWSAccountId": config.account,
        "AlarmConfigurationUpdatedTimestamp": moment(alarm.updated),
        "NewStateValue": now.state.as_str(),
        "NewStateReason": now.reason,
        "StateChangeTime": moment(now.updated),
        "Region": region,
        "AlarmArn": arn(config, alarm.name),
        "OldStateValue": before.state.as_str(),
        "OKActions": alarm.actions.ok,
        "AlarmActions": alarm.actions.alarm,
        "InsufficientDataActions": alarm.actions.insufficient_data,
    });
    match alarm.kind {
        Kind::Metric(alarm) => message["Trigger"] = trigger(alarm),
        Kind::Composite(alarm) => {
            message["AlarmRule"] = alarm.rule.as_str().into();
            message["TriggeringChildren"] = composite::triggering(now);
        }
    }
    Notification { subject, message: message.to_string() }
}

fn trigger(alarm: &Alarm) -> Value {
    let rule = &alarm.rule;
    let mut trigger = match &alarm.watch {
        Watch::Queries(queries) => {
            use escale_base::Wire;
            json!({ "Metrics": queries.iter().map(Wire::write).collect::<Vec<_>>() })
        }
        Watch::Metric { metric, statistic, extended, unit, period_secs } => {
            let dimensions = metric.dimensions.iter().map(|d| json!({ "value": d.value, "name": d.name }));
            let kind = if statistic.is_some() { "Statistic" } else { "ExtendedStatistic" };
            let mut trigger = json!({
                "MetricName": metric.metric_name,
                "Namespace": metric.namespace,
                "StatisticType": kind,
                "Unit": unit_text(*unit),
                "Dimensions": dimensions.collect::<Vec<_>>(),
                "Period": period_secs,
            });
            // AWS writes the statistics of this document in capital letters.
            trigger[kind] = match statistic {
                Some(statistic) => statistic.as_str().to_uppercase().into(),
                None => extended.clone().into(),
            };
            trigger
        }
    };
    trigger["EvaluationPeriods"] = rule.evaluation_periods.into();
    trigger["ComparisonOperator"] = rule.comparison.as_str().into();
    trigger["Threshold"] = rule.threshold.into();
    trigger["TreatMissingData"] = rule.missing.unwrap_or(MissingData::Missing).as_str().into();
    trigger["EvaluateLowSampleCountPercentile"] = rule.low_samples.map_or("", |l| l.as_str()).into();
    if let Some(needed) = rule.datapoints_to_alarm {
        trigger["DatapointsToAlarm"] = needed.into();
    }
    trigger
}

/// Source: <https://docs.aws.amazon.com/general/latest/gr/rande.html>
fn region_name(region: &str) -> &str {
    match region {
        "us-east-1" => "US East (N. Virginia)",
        "us-east-2" => "US East (Ohio)",
        "us-west-1" => "US West (N. California)",
        "us-west-2" => "US West (Oregon)",
        "ca-central-1" => "Canada (Central)",
        "sa-east-1" => "South America (Sao Paulo)",
        "eu-central-1" => "EU (Frankfurt)",
        "eu-west-1" => "EU (Ireland)",
        "eu-west-2" => "EU (London)",
        "eu-west-3" => "EU (Paris)",
        "eu-north-1" => "EU (Stockholm)",
        "ap-south-1" => "Asia Pacific (Mumbai)",
        "ap-southeast-1" => "Asia Pacific (Singapore)",
        "ap-southeast-2" => "Asia Pacific (Sydney)",
        "ap-northeast-1" => "Asia Pacific (Tokyo)",
        "ap-northeast-2" => "Asia Pacific (Seoul)",
        other => other,
    }
}
