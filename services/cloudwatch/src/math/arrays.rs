//! SORT and SLICE: functions that order and cut arrays of time series.

use super::{TimeSeries, Value, functions::reduced};

/// `None` if the arguments are wrong.
pub(super) fn call(name: &str, arguments: Vec<Value>) -> Option<Value> {
    let mut arguments = arguments.into_iter();
    let Some(Value::List(list)) = arguments.next() else { return None };
    let rest: Vec<Value> = arguments.collect();
    match (name, rest.as_slice()) {
        ("SLICE", [start]) => Some(Value::List(slice(list, index(start)?, usize::MAX))),
        ("SLICE", [start, end]) => Some(Value::List(slice(list, index(start)?, index(end)?))),
        ("SORT", [Value::Text(function), Value::Text(order)]) => sort(list, function, order, usize::MAX),
        ("SORT", [Value::Text(function), Value::Text(order), limit]) => {
            sort(list, function, order, index(limit)?)
        }
        _ => None,
    }
}

fn index(value: &Value) -> Option<usize> {
    match value {
        Value::Number(n) if *n >= 0.0 && n.fract() == 0.0 => Some(*n as usize),
        _ => None,
    }
}

fn slice(list: Vec<TimeSeries>, start: usize, end: usize) -> Vec<TimeSeries> {
    list.into_iter().take(end).skip(start).collect()
}

/// Time series without values come last.
fn sort(mut list: Vec<TimeSeries>, function: &str, order: &str, limit: usize) -> Option<Value> {
    let is_known = matches!(function, "AVG" | "MIN" | "MAX" | "SUM") && matches!(order, "ASC" | "DESC");
    let key = |series: &TimeSeries| {
        let values: Vec<f64> = series.values.values().copied().collect();
        reduced(function, &values)
    };
    list.sort_by(|a, b| match (key(a), key(b)) {
        (Some(a), Some(b)) if order == "DESC" => b.total_cmp(&a),
        (Some(a), Some(b)) => a.total_cmp(&b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
    list.truncate(limit);
    is_known.then_some(Value::List(list))
}
