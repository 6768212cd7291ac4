//! Computes expressions.

use super::{Expression, Grid, TimeSeries, Value, functions, parse::Operator};
use crate::{Error, search::Search};
use std::collections::BTreeMap;

/// The results of the other queries, by id.
pub(crate) type Named = BTreeMap<String, Value>;

/// The time series of each search of an expression, in the order of the expression.
pub(crate) type Found = Vec<(Search, Vec<TimeSeries>)>;

pub(crate) struct Context<'a> {
    pub(crate) named: &'a Named,
    /// The ids of queries that are metrics, not expressions: METRICS() returns these.
    pub(crate) metrics: &'a [String],
    pub(crate) found: &'a Found,
    pub(crate) grid: Grid,
}

impl Context<'_> {
    pub(crate) fn value(&self, expression: &Expression) -> Result<Value, Error> {
        match expression {
            Expression::Number(n) => Ok(Value::Number(*n)),
            Expression::Text(text) => Ok(Value::Text(text.clone())),
            Expression::Id(id) => self.named.get(id).cloned().ok_or_else(|| {
                Error::Validation(format!("Error in expression: the id '{id}' does not exist"))
            }),
            Expression::Search(search) => {
                let found = self.found.iter().find(|(of, _)| of == &**search);
                Ok(Value::List(found.map(|(_, series)| series.clone()).unwrap_or_default()))
            }
            Expression::Negate(inner) => each(self.value(inner)?, |v| -v),
            Expression::List(items) => {
                let items: Result<Vec<_>, _> = items.iter().map(|i| self.value(i)).collect();
                Ok(Value::List(functions::all_series(&items?)?))
            }
            Expression::Binary(operator, left, right) => {
                binary(*operator, self.value(left)?, self.value(right)?)
            }
            Expression::Call(name, arguments) => {
                let values: Result<Vec<_>, _> = arguments
                    .iter()
                    .map(|a| match a {
                        // The words of FILL and SORT are no ids.
                        Expression::Id(word) if functions::is_word(word) => Ok(Value::Text(word.clone())),
                        other => self.value(other),
                    })
                    .collect();
                functions::call(self, name, values?)
            }
        }
    }
}

/// Applies a function to every number.
pub(super) fn each(value: Value, f: impl Fn(f64) -> f64) -> Result<Value, Error> {
    match value {
        Value::Number(n) => Ok(Value::Number(f(n))),
        Value::Series(s) => Ok(Value::Series(s.map(f))),
        Value::List(list) => Ok(Value::List(list.iter().map(|s| s.map(&f)).collect())),
        Value::Text(text) => Err(Error::Validation(format!("Error in expression: '{text}' is not a number"))),
    }
}

fn binary(operator: Operator, left: Value, right: Value) -> Result<Value, Error> {
    let f = |a: f64, b: f64| compute(operator, a, b);
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => Ok(Value::Number(f(a, b))),
        (Value::Number(a), other) => each(other, |b| f(a, b)),
        (other, Value::Number(b)) => each(other, |a| f(a, b)),
        (Value::Series(a), Value::Series(b)) => Ok(Value::Series(joined(&a, &b, f))),
        (Value::List(list), Value::Series(b)) => {
            Ok(Value::List(list.iter().map(|a| joined(a, &b, f)).collect()))
        }
        (Value::Series(a), Value::List(list)) => {
            Ok(Value::List(list.iter().map(|b| joined(&a, b, f)).collect()))
        }
        _ => Err(Error::Validation(
            "Error in expression: an operator cannot combine two arrays of time series, or a text".into(),
        )),
    }
}

/// A time at which one of them is missing is missing in the result.
pub(super) fn joined(a: &TimeSeries, b: &TimeSeries, f: impl Fn(f64, f64) -> f64) -> TimeSeries {
    let joined = a.keep(|at, a| Some(f(a, *b.values.get(&at)?)));
    TimeSeries { period: a.period.max(b.period), ..joined }
}

fn compute(operator: Operator, a: f64, b: f64) -> f64 {
    let truth = |is: bool| f64::from(u8::from(is));
    match operator {
        Operator::Or => truth(a != 0.0 || b != 0.0),
        Operator::And => truth(a != 0.0 && b != 0.0),
        Operator::Equal => truth(a == b),
        Operator::NotEqual => truth(a != b),
        Operator::LessOrEqual => truth(a <= b),
        Operator::GreaterOrEqual => truth(a >= b),
        Operator::Less => truth(a < b),
        Operator::Greater => truth(a > b),
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
        Operator::Power => a.powf(b),
    }
}
