//! The functions of expressions.

use super::{
    TimeSeries, Value, arrays,
    evaluate::{Context, each, joined},
};
use crate::Error;
use escale_base::AwsError;
use std::collections::BTreeMap;

/// Functions of AWS that are not here.
const OTHERS: [&str; 17] = [
    "ANOMALY_DETECTION_BAND",
    "INSIGHT_RULE_METRIC",
    "SERVICE_QUOTA",
    "SELECT",
    "EPOCH",
    "DATE",
    "DAY",
    "HOUR",
    "MINUTE",
    "MONTH",
    "YEAR",
    "LAMBDA",
    "DB_PERF_INSIGHTS",
    "LOGS",
    "RECENT",
    "DYNAMIC_LABEL",
    "PERCENTILE",
];

const SUPPORTED: &str = "Use ABS, AVG, CEIL, DIFF, DIFF_TIME, FILL, FIRST, FLOOR, IF, LAST, LOG, LOG10, MAX, METRIC_COUNT, METRICS, MIN, \
     PERIOD, RATE, REMOVE_EMPTY, RUNNING_SUM, SEARCH, SLICE, SORT, STDDEV, SUM or TIME_SERIES.";

/// The words that functions take. Ids begin with a small letter.
pub(super) fn is_word(text: &str) -> bool {
    is_filling(text) || matches!(text, "ASC" | "DESC" | "AVG" | "MAX" | "MIN" | "SUM")
}

fn is_filling(text: &str) -> bool {
    matches!(text, "REPEAT" | "LINEAR")
}

pub(super) fn call(context: &Context<'_>, name: &str, arguments: Vec<Value>) -> Result<Value, Error> {
    let wrong = || Error::Validation(format!("Error in expression: wrong arguments of the function {name}"));
    if matches!(name, "SORT" | "SLICE") {
        return arrays::call(name, arguments).ok_or_else(wrong);
    }
    let mut arguments = arguments.into_iter();
    let (first, second, third) = (arguments.next(), arguments.next(), arguments.next());
    let none_left = arguments.next().is_none();
    match (name, first, second, third) {
        _ if !none_left => Err(wrong()),
        ("METRICS", text @ (None | Some(Value::Text(_))), None, None) => {
            let wanted = match text {
                Some(Value::Text(text)) => text,
                _ => String::new(),
            };
            let chosen = context.metrics.iter().filter(|id| id.contains(&wanted));
            let series: Vec<Value> = chosen.filter_map(|id| context.named.get(id).cloned()).collect();
            Ok(Value::List(all_series(&series)?))
        }
        ("METRIC_COUNT", Some(Value::List(list)), None, None) => Ok(Value::Number(list.len() as f64)),
        ("REMOVE_EMPTY", Some(Value::List(mut list)), None, None) => {
            list.retain(|s| !s.values.is_empty());
            Ok(Value::List(list))
        }
        ("ABS", Some(v), None, None) => each(v, f64::abs),
        ("CEIL", Some(v), None, None) => each(v, f64::ceil),
        ("FLOOR", Some(v), None, None) => each(v, f64::floor),
        ("LOG", Some(v), None, None) => each(v, f64::ln),
        ("LOG10", Some(v), None, None) => each(v, f64::log10),
        ("AVG" | "MAX" | "MIN" | "SUM" | "STDDEV", Some(v), None, None) => reduce(name, v),
        ("TIME_SERIES", Some(Value::Number(n)), None, None) => {
            let period = context.grid.period;
            let values = context.grid.times(period).map(|at| (at, n)).collect();
            Ok(Value::Series(TimeSeries { period, values, label: None }))
        }
        ("FILL", Some(v), Some(with), None) => over_series(v, |s| fill(context, s, &with)),
        ("IF", Some(condition), Some(yes), no) => branch(condition, yes, no),
        (_, Some(v), None, None) if is_of_series(name) => of_series(name, v),
        _ if OTHERS.contains(&name) => {
            Err(AwsError::not_supported(format_args!("The function {name} of metric math"))
                .hint(SUPPORTED)
                .into())
        }
        _ if is_of_series(name) || SUPPORTED.split([' ', ',', '.']).any(|known| known == name) => {
            Err(wrong())
        }
        _ => Err(Error::Validation(format!("Error in expression: the function {name} does not exist"))),
    }
}

/// All time series of some values, as one array.
pub(super) fn all_series(values: &[Value]) -> Result<Vec<TimeSeries>, Error> {
    let mut all = Vec::new();
    for value in values {
        match value {
            Value::Series(s) => all.push(s.clone()),
            Value::List(list) => all.extend(list.iter().cloned()),
            Value::Number(_) | Value::Text(_) => {
                return Err(Error::Validation(
                    "Error in expression: an array can have time series only".into(),
                ));
            }
        }
    }
    Ok(all)
}

fn over_series(value: Value, f: impl Fn(&TimeSeries) -> Result<TimeSeries, Error>) -> Result<Value, Error> {
    match value {
        Value::Series(s) => Ok(Value::Series(f(&s)?)),
        Value::List(list) => Ok(Value::List(list.iter().map(f).collect::<Result<_, _>>()?)),
        Value::Number(_) | Value::Text(_) => {
            Err(Error::Validation("Error in expression: the function needs a time series".into()))
        }
    }
}

/// Of one time series a number; of an array a time series with the result at each time.
fn reduce(name: &str, value: Value) -> Result<Value, Error> {
    match value {
        Value::Series(s) => {
            let values: Vec<f64> = s.values.values().copied().collect();
            // Without any value there is no result. AWS returns no datapoint either.
            Ok(reduced(name, &values).map_or(Value::Series(TimeSeries::default()), Value::Number))
        }
        Value::List(list) => {
            let period = list.iter().map(|s| s.period).max().unwrap_or_default();
            let mut at_times: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
            for series in &list {
                series.values.iter().for_each(|(at, v)| at_times.entry(*at).or_default().push(*v));
            }
            let values = at_times.iter().filter_map(|(at, all)| Some((*at, reduced(name, all)?))).collect();
            Ok(Value::Series(TimeSeries { period, values, label: None }))
        }
        other => Ok(other),
    }
}

pub(super) fn reduced(name: &str, values: &[f64]) -> Option<f64> {
    let (sum, count) = (values.iter().sum::<f64>(), values.len() as f64);
    if values.is_empty() {
        return None;
    }
    Some(match name {
        "SUM" => sum,
        "AVG" => sum / count,
        "MIN" => values.iter().copied().fold(f64::INFINITY, f64::min),
        "MAX" => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        _ => (values.iter().map(|v| (v - sum / count).powi(2)).sum::<f64>() / count).sqrt(),
    })
}

fn fill(context: &Context<'_>, series: &TimeSeries, with: &Value) -> Result<TimeSeries, Error> {
    let mut filled = series.clone();
    let times: Vec<i64> = context.grid.times(series.period).collect();
    let at = |at: i64| {
        let before = series.values.range(..at).next_back();
        let after = series.values.range(at..).next();
        match with {
            Value::Number(n) => Some(*n),
            Value::Series(other) => other.values.get(&at).copied(),
            Value::Text(word) if word == "REPEAT" => before.map(|(_, v)| *v),
            // At the ends, the nearest value.
            Value::Text(word) if word == "LINEAR" => match (before, after) {
                (Some((t0, v0)), Some((t1, v1))) => {
                    Some(v0 + (v1 - v0) * (at - t0) as f64 / (t1 - t0) as f64)
                }
                (one, other) => one.or(other).map(|(_, v)| *v),
            },
            _ => None,
        }
    };
    if matches!(with, Value::Text(word) if !is_filling(word)) || matches!(with, Value::List(_)) {
        return Err(Error::Validation(
            "Error in expression: FILL needs a number, a time series, REPEAT or LINEAR".into(),
        ));
    }
    for time in times {
        if !filled.values.contains_key(&time)
            && let Some(value) = at(time)
        {
            filled.values.insert(time, value);
        }
    }
    Ok(filled)
}

fn branch(condition: Value, yes: Value, no: Option<Value>) -> Result<Value, Error> {
    match condition {
        Value::Number(n) if n != 0.0 => Ok(yes),
        Value::Number(_) => Ok(no.unwrap_or_else(|| Value::Series(TimeSeries::default()))),
        Value::Series(condition) => {
            let of = |value: &Value, at: i64| match value {
                Value::Number(n) => Some(*n),
                Value::Series(s) => s.values.get(&at).copied(),
                Value::List(_) | Value::Text(_) => None,
            };
            if [Some(&yes), no.as_ref()]
                .into_iter()
                .flatten()
                .any(|v| matches!(v, Value::List(_) | Value::Text(_)))
            {
                return Err(Error::Validation("Error in expression: IF needs numbers or time series".into()));
            }
            Ok(Value::Series(
                condition.keep(
                    |at, is| {
                        if is != 0.0 { of(&yes, at) } else { no.as_ref().and_then(|no| of(no, at)) }
                    },
                ),
            ))
        }
        Value::List(_) | Value::Text(_) => Err(Error::Validation(
            "Error in expression: the condition of IF must be a number or a time series".into(),
        )),
    }
}

fn is_of_series(name: &str) -> bool {
    matches!(name, "FIRST" | "LAST" | "PERIOD" | "RATE" | "DIFF" | "DIFF_TIME" | "RUNNING_SUM")
}

fn of_series(name: &str, value: Value) -> Result<Value, Error> {
    if let (Value::List(list), "FIRST" | "LAST") = (&value, name) {
        let one = if name == "FIRST" { list.first() } else { list.last() };
        return Ok(Value::Series(one.cloned().unwrap_or_default()));
    }
    if let (Value::Series(s), "PERIOD") = (&value, name) {
        return Ok(Value::Number(s.period as f64));
    }
    if let (Value::Series(s), "FIRST" | "LAST") = (&value, name) {
        let one = if name == "FIRST" { s.values.first_key_value() } else { s.values.last_key_value() };
        return Ok(one.map_or(Value::Series(TimeSeries::default()), |(_, v)| Value::Number(*v)));
    }
    over_series(value, |s| {
        let mut out = TimeSeries { period: s.period, values: BTreeMap::new(), label: s.label.clone() };
        let (mut sum, mut before) = (0.0, None::<(i64, f64)>);
        for (at, value) in &s.values {
            sum += value;
            let since = before.map(|(t, v)| ((at - t) as f64, value - v));
            let result = match name {
                "RUNNING_SUM" => Some(sum),
                "DIFF" => since.map(|(_, rise)| rise),
                "DIFF_TIME" => since.map(|(secs, _)| secs),
                _ => since.map(|(secs, rise)| rise / secs),
            };
            out.values.extend(result.map(|r| (*at, r)));
            before = Some((*at, *value));
        }
        Ok(joined(&out, &out, |a, _| a))
    })
}
