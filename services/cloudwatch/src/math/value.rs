//! The values of expressions.

use std::collections::BTreeMap;

/// Values by time, in seconds. A time without a value is missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TimeSeries {
    pub(crate) period: i64,
    pub(crate) values: BTreeMap<i64, f64>,
    /// The name of its metric in an array. A series that was computed from several has none.
    pub(crate) label: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Number(f64),
    Text(String),
    Series(TimeSeries),
    /// AWS's array of time series.
    List(Vec<TimeSeries>),
}

/// The times that a request asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    pub(crate) from: i64,
    pub(crate) until: i64,
    /// Of results that no metric gives a period.
    pub(crate) period: i64,
}

impl Grid {
    /// The times of a series with this period.
    pub(crate) fn times(self, period: i64) -> impl Iterator<Item = i64> {
        // A series that was computed from no values has none.
        let period = if period > 0 { period } else { self.period };
        let step = usize::try_from(period).unwrap_or(1).max(1);
        (self.from..self.until).step_by(step)
    }
}

impl TimeSeries {
    pub(crate) fn map(&self, f: impl Fn(f64) -> f64) -> TimeSeries {
        self.keep(|_, value| Some(f(value)))
    }

    /// Results that are no numbers, such as a division by zero, are missing.
    pub(crate) fn keep(&self, f: impl Fn(i64, f64) -> Option<f64>) -> TimeSeries {
        let values = self.values.iter().filter_map(|(at, v)| Some((*at, f(*at, *v)?)));
        TimeSeries {
            period: self.period,
            values: values.filter(|(_, v)| v.is_finite()).collect(),
            label: self.label.clone(),
        }
    }
}
