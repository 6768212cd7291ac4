//! Why an alarm has its state, in AWS's words.

use super::{evaluate::Verdict, period_secs, unit_text};
use escale_base::Timestamp;
use escale_tables::cloudwatch::{Alarm, ComparisonOperator, Rule, StateValue, Watch};
use serde_json::{Map, Value, json};

pub(crate) const NOT_EVALUATED: &str = "Unchecked: Initial alarm creation";

/// For example: "Threshold Crossed: 1 out of the last 1 datapoints [99.0 (23/11/26 10:20:00)] was greater than the threshold (50.0)
/// (minimum 1 datapoint for OK -> ALARM transition)."
pub(crate) fn text(rule: &Rule, verdict: &Verdict, before: StateValue) -> String {
    let needed = rule.datapoints_to_alarm.unwrap_or(rule.evaluation_periods);
    if verdict.state == StateValue::InsufficientData {
        return format!(
            "Insufficient Data: {} {} unknown.",
            count(verdict.missing, "datapoint"),
            if verdict.missing == 1 { "was" } else { "were" }
        );
    }
    let all = verdict.decided_by.len() + verdict.missing;
    let is_alarm = verdict.state == StateValue::Alarm;
    let shown: Vec<String> =
        verdict.decided_by.iter().rev().map(|d| format!("{} ({})", number(d.value), date(d.at))).collect();
    let treated = match rule.missing {
        Some(missing) if verdict.missing > 0 => {
            format!(" and {} treated as [{missing}]", count(verdict.missing, "missing datapoint"))
        }
        _ => String::new(),
    };
    let matching = if is_alarm { verdict.breaching } else { verdict.decided_by.len() - verdict.breaching };
    let (was, relation) = (if matching == 1 { "was" } else { "were" }, relation(rule.comparison));
    let not = if is_alarm { "" } else { "not " };
    let minimum = if is_alarm { needed } else { rule.evaluation_periods - needed + 1 };
    format!(
        "Threshold Crossed: {matching} out of the last {all} datapoints [{}]{treated} {was} {not}{relation} the threshold ({}) (minimum {} \
         for {before} -> {} transition).",
        shown.join(", "),
        number(rule.threshold),
        count(minimum as usize, "datapoint"),
        verdict.state
    )
}

fn relation(operator: ComparisonOperator) -> &'static str {
    match operator {
        ComparisonOperator::GreaterOrEqual => "greater than or equal to",
        ComparisonOperator::Greater => "greater than",
        ComparisonOperator::Less => "less than",
        ComparisonOperator::LessOrEqual => "less than or equal to",
    }
}

fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// `50.0`, `0.25`: at least one decimal.
fn number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.1}") } else { value.to_string() }
}

/// `23/11/26 10:20:00`
fn date(secs: i64) -> String {
    let iso = Timestamp(secs * 1000).iso8601();
    let part = |range: std::ops::Range<usize>| iso.get(range).unwrap_or_default().to_owned();
    format!("{}/{}/{} {}", part(8..10), part(5..7), part(2..4), part(11..19))
}

/// `2026-11-23T10:20:00.000+0000`, the form of times in AWS's documents about alarms.
pub(super) fn moment(at: Timestamp) -> String {
    at.iso8601().replace('Z', "+0000")
}

pub(crate) fn data(alarm: &Alarm, verdict: &Verdict, now: Timestamp, from: i64) -> String {
    let mut document = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            document.insert(name.to_owned(), value);
        }
    };
    put("version", "1.0".into());
    put("queryDate", moment(now).into());
    put("startDate", moment(Timestamp(from * 1000)).into());
    if let Watch::Metric { statistic, extended, unit, .. } = &alarm.watch {
        put("statistic", statistic.map_or(Value::Null, |s| s.as_str().into()));
        put("unit", unit_text(*unit).into());
        put("extendedStatistic", extended.clone().into());
    }
    put("period", period_secs(&alarm.watch).into());
    put("recentDatapoints", verdict.decided_by.iter().map(|d| d.value).collect::<Vec<_>>().into());
    put("threshold", alarm.rule.threshold.into());
    let newest_first = verdict.decided_by.iter().rev();
    let each = newest_first.map(|d| json!({ "timestamp": moment(Timestamp(d.at * 1000)), "value": d.value }));
    put("evaluatedDatapoints", each.collect());
    Value::Object(document).to_string()
}

#[cfg(test)]
mod tests {
    use super::{super::evaluate::Datapoint, *};

    #[test]
    fn reasons_read_as_on_aws() {
        let rule = Rule {
            comparison: ComparisonOperator::Greater,
            threshold: 50.0,
            evaluation_periods: 1,
            datapoints_to_alarm: None,
            missing: None,
            low_samples: None,
        };
        let point = Datapoint { at: 1_795_342_800, value: 99.0, is_of_few: false };
        let verdict = |state, breaching| Verdict { state, decided_by: vec![point], breaching, missing: 0 };
        assert_eq!(
            text(&rule, &verdict(StateValue::Alarm, 1), StateValue::Ok),
            "Threshold Crossed: 1 out of the last 1 datapoints [99.0 (22/11/26 10:20:00)] was greater than the threshold (50.0) (minimum 1 \
             datapoint for OK -> ALARM transition)."
        );
        assert_eq!(
            text(&rule, &verdict(StateValue::Ok, 0), StateValue::Alarm),
            "Threshold Crossed: 1 out of the last 1 datapoints [99.0 (22/11/26 10:20:00)] was not greater than the threshold (50.0) (minimum \
             1 datapoint for ALARM -> OK transition)."
        );
        let none =
            Verdict { state: StateValue::InsufficientData, decided_by: vec![], breaching: 0, missing: 1 };
        assert_eq!(text(&rule, &none, StateValue::Ok), "Insufficient Data: 1 datapoint was unknown.");
    }
}
