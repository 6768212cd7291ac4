//! Whether values mean an alarm. Pure.
//!
//! Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html>

use escale_tables::cloudwatch::{ComparisonOperator, LowSampleCount, MissingData, Rule, StateValue};

/// The value of one period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Datapoint {
    /// Seconds: the beginning of its period.
    pub(crate) at: i64,
    pub(crate) value: f64,
    /// Whether it is a percentile of too few values to be meaningful.
    pub(crate) is_of_few: bool,
}

/// Periods before the evaluated ones from which missing values are replaced. AWS does not publish how many; its examples have two.
pub(crate) const EXTRA_PERIODS: u32 = 2;

#[derive(Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) state: StateValue,
    /// The values that decided, oldest first.
    pub(crate) decided_by: Vec<Datapoint>,
    /// How many of them breach the threshold.
    pub(crate) breaching: usize,
    /// How many of the evaluated periods have no value.
    pub(crate) missing: usize,
}

/// Decides the state from the values of the evaluation range: the evaluated periods and [`EXTRA_PERIODS`], oldest first, `None` for
/// a period without a value.
pub(crate) fn evaluate(rule: &Rule, range: &[Option<Datapoint>], current: StateValue) -> Verdict {
    let periods = rule.evaluation_periods.max(1) as usize;
    let needed = rule.datapoints_to_alarm.unwrap_or(rule.evaluation_periods).max(1) as usize;
    // The newest values, with how many periods ago each one was.
    let newest = range.iter().rev().enumerate().filter_map(|(age, d)| d.map(|d| (age + 1, d)));
    let newest: Vec<(usize, Datapoint)> = newest.take(periods).collect();
    let breaches = |d: &Datapoint| compare(rule.comparison, d.value, rule.threshold);
    let breaching = newest.iter().filter(|(_, d)| breaches(d)).count();
    let missing = periods - newest.len();
    let state = match rule.missing.unwrap_or(MissingData::Missing) {
        _ if rule.low_samples == Some(LowSampleCount::Ignore) && newest.iter().any(|(_, d)| d.is_of_few) => {
            current
        }
        _ if breaching >= needed => StateValue::Alarm,
        _ if missing == 0 => StateValue::Ok,
        MissingData::Breaching if breaching + missing >= needed => StateValue::Alarm,
        MissingData::Breaching | MissingData::NotBreaching => StateValue::Ok,
        MissingData::Missing if newest.is_empty() => StateValue::InsufficientData,
        _ if breaching < newest.len() => StateValue::Ok,
        MissingData::Ignore => current,
        // All values breach, and they are fewer than needed. AWS does not wait for more if the oldest one is old enough, and does
        // not raise an alarm early otherwise.
        MissingData::Missing => match newest.last() {
            Some((age, _)) if *age >= needed => StateValue::Alarm,
            _ => current,
        },
    };
    let decided_by = newest.into_iter().rev().map(|(_, d)| d).collect();
    Verdict { state, decided_by, breaching, missing }
}

fn compare(operator: ComparisonOperator, value: f64, threshold: f64) -> bool {
    match operator {
        ComparisonOperator::GreaterOrEqual => value >= threshold,
        ComparisonOperator::Greater => value > threshold,
        ComparisonOperator::Less => value < threshold,
        ComparisonOperator::LessOrEqual => value <= threshold,
    }
}

/// How many values a percentile needs, by AWS's rule.
///
/// Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/percentiles-with-low-samples.html>
pub(crate) fn samples_needed(percentage: f64) -> f64 {
    let share = percentage / 100.0;
    if share >= 0.5 { 10.0 / (1.0 - share) } else { 10.0 / share }
}

#[cfg(test)]
mod tests {
    use super::*;
    use MissingData::{Breaching, Ignore, Missing, NotBreaching};
    use StateValue::{Alarm, InsufficientData, Ok};

    fn rule(needed: u32, missing: MissingData) -> Rule {
        Rule {
            comparison: ComparisonOperator::Greater,
            threshold: 50.0,
            evaluation_periods: 3,
            datapoints_to_alarm: Some(needed),
            missing: Some(missing),
            low_samples: None,
        }
    }

    /// `0` is within the threshold, `X` breaches it, `-` is missing.
    fn range(text: &str) -> Vec<Option<Datapoint>> {
        let value = |c| match c {
            '0' => Some(0.0),
            'X' => Some(99.0),
            _ => None,
        };
        let one = |(at, c)| Some(Datapoint { at: at as i64, value: value(c)?, is_of_few: false });
        text.chars().filter(|c| *c != ' ').enumerate().map(one).collect()
    }

    fn check(needed: u32, text: &str, expected: [Option<StateValue>; 4]) {
        for (missing, expected) in [Missing, Ignore, Breaching, NotBreaching].into_iter().zip(expected) {
            for current in [Ok, Alarm, InsufficientData] {
                let state = evaluate(&rule(needed, missing), &range(text), current).state;
                assert_eq!(
                    state,
                    expected.unwrap_or(current),
                    "{text}, {needed} of 3, {missing}, was {current}"
                );
            }
        }
    }

    /// The tables of AWS's page. `None` is the current state.
    #[test]
    fn treats_missing_data_as_aws_does() {
        let all = |state| [Some(state); 4];
        check(3, "0 - X - X", all(Ok));
        check(3, "- - - - 0", all(Ok));
        check(3, "- - - - -", [Some(InsufficientData), None, Some(Alarm), Some(Ok)]);
        check(3, "0 X X - X", all(Alarm));
        check(3, "- - X - -", [Some(Alarm), None, Some(Alarm), Some(Ok)]);
        check(2, "0 - X - X", all(Alarm));
        check(2, "0 0 X 0 X", all(Alarm));
        check(2, "0 - X - -", [Some(Ok), Some(Ok), Some(Alarm), Some(Ok)]);
        check(2, "- - - - 0", [Some(Ok), Some(Ok), Some(Alarm), Some(Ok)]);
        check(2, "- - - X -", [Some(Alarm), None, Some(Alarm), Some(Ok)]);
    }

    #[test]
    fn a_new_alarm_does_not_fire_early() {
        check(3, "- - - - X", [None, None, Some(Alarm), Some(Ok)]);
    }

    #[test]
    fn few_values_of_a_percentile_can_be_ignored() {
        let few = Some(Datapoint { at: 0, value: 99.0, is_of_few: true });
        let ignore = Rule { low_samples: Some(LowSampleCount::Ignore), ..rule(1, Missing) };
        assert_eq!(evaluate(&ignore, &[few], Ok).state, Ok);
        assert_eq!(evaluate(&rule(1, Missing), &[few], Ok).state, Alarm);
        assert!((samples_needed(99.0) - 1000.0).abs() < 1e-6);
    }

    /// Every range of five periods, every rule, every treatment.
    #[test]
    fn properties_of_every_range() {
        for code in 0..3_usize.pow(5) {
            let text: String = (0..5).map(|i| ['0', 'X', '-'][code / 3_usize.pow(i) % 3]).collect();
            let range = range(&text);
            let values = range.iter().flatten().count();
            for needed in 1..=3 {
                for current in [Ok, Alarm, InsufficientData] {
                    let state = |missing| evaluate(&rule(needed, missing), &range, current).state;
                    let [m, i, b, n] = [Missing, Ignore, Breaching, NotBreaching].map(state);
                    assert!(
                        n != Alarm || [m, i, b] == [Alarm; 3],
                        "{text}: an alarm without help of missing data is one with it"
                    );
                    assert!(b != Ok || n == Ok, "{text}: breaching is never milder");
                    assert!(
                        values < 3 || [m, i, b] == [n; 3],
                        "{text}: with enough values all treatments agree"
                    );
                    assert!(b != InsufficientData && n != InsufficientData, "{text}");
                    assert!(m != InsufficientData || values == 0 || current == InsufficientData, "{text}");
                    let replaced: String = text.replace('0', "X");
                    let worse = evaluate(&rule(needed, NotBreaching), &self::range(&replaced), current).state;
                    assert!(n != Alarm || worse == Alarm, "{text}: more breaching values never end an alarm");
                }
            }
        }
    }
}
