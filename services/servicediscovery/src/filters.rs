//! Filters of lists.

use crate::{Error, choices::FilterCondition};
use std::fmt::Display;

/// Whether a value passes a filter. AWS's default condition is EQ.
pub(crate) fn passes(
    name: impl Display,
    value: &str,
    condition: Option<FilterCondition>,
    values: &[String],
) -> Result<bool, Error> {
    let invalid = |why: &str| Err(Error::Invalid(format!("The filter {name} {why}.")));
    match (condition.unwrap_or(FilterCondition::Eq), values) {
        (FilterCondition::Eq, [only]) => Ok(only == value),
        (FilterCondition::Eq, _) => invalid("with the condition EQ needs one value"),
        (FilterCondition::In, values) => Ok(values.iter().any(|one| one == value)),
        (FilterCondition::BeginsWith, [only]) => Ok(value.starts_with(only.as_str())),
        (FilterCondition::BeginsWith, _) => invalid("with the condition BEGINS_WITH needs one value"),
        (FilterCondition::Between, _) => invalid("does not have the condition BETWEEN"),
    }
}

/// Whether a time passes a filter of the condition BETWEEN, whose two values are seconds since 1970.
pub(crate) fn is_between(
    name: impl Display,
    secs: i64,
    condition: Option<FilterCondition>,
    values: &[String],
) -> Result<bool, Error> {
    let bounds: Vec<i64> = values.iter().filter_map(|value| value.parse().ok()).collect();
    match (condition, bounds.as_slice()) {
        (Some(FilterCondition::Between), [from, to]) if values.len() == 2 => {
            Ok((*from..=*to).contains(&secs))
        }
        _ => Err(Error::Invalid(format!(
            "The filter {name} needs the condition BETWEEN and two values in seconds since 1970."
        ))),
    }
}
