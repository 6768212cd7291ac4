//! Step adjustments: which step a metric is in, and the capacity after it. Pure.
//!
//! Source: <https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html>

use crate::Error;
use escale_tables::autoscaling::{AdjustmentType, MetricAggregation, StepAdjustment, StepScaling};

/// The step that includes a difference from the threshold. Above the threshold the lower bound belongs to a step, below it the upper
/// one does.
pub(crate) fn step(steps: &[StepAdjustment], breach: f64, is_above: bool) -> Option<&StepAdjustment> {
    let includes = |step: &&StepAdjustment| {
        let (lower, upper) = (step.lower.unwrap_or(f64::NEG_INFINITY), step.upper.unwrap_or(f64::INFINITY));
        if is_above { lower <= breach && breach < upper } else { lower < breach && breach <= upper }
    };
    steps.iter().find(includes)
}

/// The capacity after a step.
pub(crate) fn adjusted(policy: &StepScaling, step: &StepAdjustment, base: u32) -> u32 {
    let (base, by) = (i64::from(base), i64::from(step.adjustment));
    let wanted = match policy.adjustment {
        AdjustmentType::Exact => by,
        AdjustmentType::Change => base + by,
        AdjustmentType::Percent => base + percent(base, by, policy.min_magnitude.unwrap_or(0)),
    };
    u32::try_from(wanted.max(0)).unwrap_or(u32::MAX)
}

/// Towards zero, but at least one task, and at least the magnitude of the policy.
fn percent(base: i64, by: i64, magnitude: u32) -> i64 {
    let exact = base * by;
    let change = match exact / 100 {
        0 => exact.signum(),
        whole => whole,
    };
    let least = i64::from(magnitude) * by.signum();
    if change.abs() < least.abs() { least } else { change }
}

/// One value of an alarm's recent ones.
pub(crate) fn aggregated(values: &[f64], by: MetricAggregation) -> Option<f64> {
    let all = || values.iter().copied();
    match by {
        _ if values.is_empty() => None,
        MetricAggregation::Average => Some(all().sum::<f64>() / values.len() as f64),
        MetricAggregation::Minimum => all().reduce(f64::min),
        MetricAggregation::Maximum => all().reduce(f64::max),
    }
}

/// Steps may not overlap or leave a gap, and at most one is open on each side.
pub(crate) fn check(steps: &[StepAdjustment]) -> Result<(), Error> {
    if steps.is_empty() {
        return Err(Error::Invalid("At least one StepAdjustment must be specified".into()));
    }
    let mut sorted: Vec<(f64, f64)> = Vec::new();
    for step in steps {
        if step.lower.is_none() && step.upper.is_none() && steps.len() > 1 {
            return Err(Error::Invalid(
                "Step adjustment must have at least one of MetricIntervalLowerBound and MetricIntervalUpperBound".into(),
            ));
        }
        let (lower, upper) = (step.lower.unwrap_or(f64::NEG_INFINITY), step.upper.unwrap_or(f64::INFINITY));
        if lower >= upper {
            return Err(Error::Invalid(
                "MetricIntervalUpperBound must be greater than MetricIntervalLowerBound".into(),
            ));
        }
        sorted.push((lower, upper));
    }
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    for pair in sorted.windows(2) {
        if pair[0].1 > pair[1].0 {
            return Err(Error::Invalid("Step adjustment intervals can't overlap".into()));
        }
        if pair[0].1 < pair[1].0 {
            return Err(Error::Invalid("Step adjustment intervals can't have gaps between them".into()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(list: &[(Option<f64>, Option<f64>, i32)]) -> Vec<StepAdjustment> {
        list.iter().map(|&(lower, upper, adjustment)| StepAdjustment { lower, upper, adjustment }).collect()
    }

    #[test]
    fn bounds_belong_to_one_step() {
        let out = steps(&[(Some(0.0), Some(10.0), 1), (Some(10.0), None, 2)]);
        let found =
            |steps: &[StepAdjustment], breach, above| step(steps, breach, above).map(|s| s.adjustment);
        for (breach, expected) in [(0.0, Some(1)), (9.9, Some(1)), (10.0, Some(2)), (-1.0, None)] {
            assert_eq!(found(&out, breach, true), expected, "{breach}");
        }
        let below = steps(&[(Some(-10.0), Some(0.0), -1), (None, Some(-10.0), -2)]);
        for (breach, expected) in [(0.0, Some(-1)), (-9.9, Some(-1)), (-10.0, Some(-2)), (1.0, None)] {
            assert_eq!(found(&below, breach, false), expected, "{breach}");
        }
    }

    /// AWS's rounding: 12.7 is 12, 0.67 is 1, -0.58 is -1, -6.67 is -6.
    #[test]
    fn percentages_are_rounded_as_on_aws() {
        let by = |base, adjustment, min_magnitude| {
            let policy = StepScaling {
                adjustment: AdjustmentType::Percent,
                steps: vec![],
                min_magnitude,
                cooldown_secs: None,
                aggregation: None,
            };
            let step = StepAdjustment { lower: None, upper: None, adjustment };
            i64::from(adjusted(&policy, &step, base)) - i64::from(base)
        };
        for (base, percent, expected) in [(127, 10, 12), (67, 1, 1), (58, -1, -1), (667, -1, -6), (4, 25, 1)]
        {
            assert_eq!(by(base, percent, None), expected, "{percent} % of {base}");
        }
        assert_eq!((by(4, 25, Some(2)), by(40, 25, Some(2)), by(10, -10, Some(3))), (2, 10, -3));
    }

    #[test]
    fn values_are_aggregated() {
        let of = |by| aggregated(&[1.0, 5.0, 3.0], by);
        assert_eq!(of(MetricAggregation::Average), Some(3.0));
        assert_eq!((of(MetricAggregation::Minimum), of(MetricAggregation::Maximum)), (Some(1.0), Some(5.0)));
        assert_eq!(aggregated(&[], MetricAggregation::Average), None);
    }

    #[test]
    fn refuses_gaps_and_overlaps() {
        for (list, why) in [
            (&[(Some(0.0), Some(10.0), 1), (Some(9.0), None, 2)][..], "overlap"),
            (&[(Some(0.0), Some(10.0), 1), (Some(11.0), None, 2)], "gaps"),
            (&[(Some(5.0), Some(5.0), 1)], "greater"),
            (&[(None, None, 1), (Some(0.0), None, 1)], "at least one"),
            (&[], "At least one"),
        ] {
            let error = check(&steps(list)).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        check(&steps(&[(Some(10.0), None, 2), (Some(0.0), Some(10.0), 1)])).unwrap();
        check(&steps(&[(None, None, 1)])).unwrap();
    }
}
