//! Metric math: expressions on time series.
//!
//! `parse.rs` reads an expression, `evaluate.rs` computes it. Both are pure. Functions that are not here are refused by name.
//!
//! Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html>

mod arrays;
mod evaluate;
mod functions;
mod parse;
mod value;

pub(crate) use evaluate::{Context, Found, Named};
pub(crate) use parse::{Expression, parse};
pub(crate) use value::{Grid, TimeSeries, Value};

#[cfg(test)]
mod tests;
