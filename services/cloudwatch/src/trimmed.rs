//! Statistics of a part of a period's values: between two percentiles, or between two values.
//!
//! The lower boundary is exclusive, the upper one inclusive. A group of equal values that lies on a percentile counts with the share
//! of it that is inside.
//!
//! Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html>

use escale_metrics::{Distribution, Summary};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Trimmed {
    kind: Kind,
    range: Range,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// `TM`: the mean of the values inside.
    Mean,
    /// `WM`: the mean of all, those outside as large as the boundary.
    WinsorizedMean,
    /// `PR`: the percentage of all values that is inside.
    Rank,
    /// `TC`: how many are inside.
    Count,
    /// `TS`: the sum of those inside.
    Sum,
}

/// An end that is missing is open.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Range {
    /// Shares of all values, 0 to 1.
    Shares(Option<f64>, Option<f64>),
    Values(Option<f64>, Option<f64>),
}

impl Trimmed {
    /// `tm90`, `TM(10%:90%)`, `TC(0.005:0.03)`, `IQM`; `None` for any other text.
    pub(crate) fn parse(text: &str) -> Option<Trimmed> {
        let (name, rest) = text.split_at_checked(2)?;
        if text.eq_ignore_ascii_case("IQM") {
            return Some(Trimmed { kind: Kind::Mean, range: Range::Shares(Some(0.25), Some(0.75)) });
        }
        let kind = match name.to_ascii_uppercase().as_str() {
            "TM" => Kind::Mean,
            "WM" => Kind::WinsorizedMean,
            "PR" => Kind::Rank,
            "TC" => Kind::Count,
            "TS" => Kind::Sum,
            _ => return None,
        };
        let range = match rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
            Some(bounds) => range(bounds)?,
            None => Range::Shares(None, Some(share(rest)?)),
        };
        // The rank of a percentile would be the percentile itself.
        let is_meaningful = kind != Kind::Rank || matches!(range, Range::Values(..));
        is_meaningful.then_some(Trimmed { kind, range })
    }

    /// `None` without values inside, where they are needed.
    pub(crate) fn of(self, summary: &Summary) -> Option<f64> {
        let distribution = summary.distribution.as_ref()?;
        let (mut count, mut sum) = (0.0, 0.0);
        for (value, inside) in self.range.part(distribution) {
            count += inside;
            sum += value * inside;
        }
        match self.kind {
            Kind::Count => Some(count),
            Kind::Sum => Some(sum),
            Kind::Rank => Some(count / distribution.count() * 100.0),
            Kind::Mean => (count > 0.0).then(|| sum / count),
            Kind::WinsorizedMean => {
                let (low, high) = self.range.values(distribution);
                let all = distribution.groups().iter().map(|(value, count)| {
                    let value = low.map_or(*value, |low| value.max(low));
                    high.map_or(value, |high| value.min(high)) * count
                });
                Some(all.sum::<f64>() / distribution.count())
            }
        }
    }
}

impl Range {
    /// The values inside, with how many of each.
    fn part(self, distribution: &Distribution) -> Vec<(f64, f64)> {
        let groups = distribution.groups().iter().copied();
        match self {
            Range::Values(low, high) => groups
                .filter(|(value, _)| {
                    low.is_none_or(|low| *value > low) && high.is_none_or(|high| *value <= high)
                })
                .collect(),
            Range::Shares(low, high) => {
                let all = distribution.count();
                let (first, last) = (low.unwrap_or(0.0) * all, high.unwrap_or(1.0) * all);
                let mut before = 0.0;
                let part = groups.map(|(value, count)| {
                    let inside = (last.min(before + count) - first.max(before)).max(0.0);
                    before += count;
                    (value, inside)
                });
                part.collect()
            }
        }
    }

    /// The boundaries as values.
    fn values(self, distribution: &Distribution) -> (Option<f64>, Option<f64>) {
        match self {
            Range::Values(low, high) => (low, high),
            Range::Shares(low, high) => {
                let value = |share: Option<f64>| share.and_then(|share| distribution.quantile(share));
                (value(low), value(high))
            }
        }
    }
}

/// `10%:90%`, `:90%`, `100:2000`, `100:`: both ends are of one form, and at least one is there.
fn range(text: &str) -> Option<Range> {
    let (low, high) = text.split_once(':')?;
    let (low, high) = (low.trim(), high.trim());
    let given: Vec<&str> = [low, high].into_iter().filter(|end| !end.is_empty()).collect();
    let percent = given.iter().filter(|end| end.ends_with('%')).count();
    if given.is_empty() || (percent != 0 && percent != given.len()) {
        return None;
    }
    let end = |text: &str, read: fn(&str) -> Option<f64>| match text {
        "" => Some(None),
        text => read(text).map(Some),
    };
    let is_ordered = |low: Option<f64>, high: Option<f64>| low.zip(high).is_none_or(|(low, high)| low < high);
    if percent > 0 {
        let read = |text: &str| share(text.strip_suffix('%')?);
        let (low, high) = (end(low, read)?, end(high, read)?);
        return is_ordered(low, high).then_some(Range::Shares(low, high));
    }
    let read = |text: &str| text.parse::<f64>().ok().filter(|value| value.is_finite());
    let (low, high) = (end(low, read)?, end(high, read)?);
    is_ordered(low, high).then_some(Range::Values(low, high))
}

/// A percentage from 0 to 100.
fn share(text: &str) -> Option<f64> {
    let is_plain = text.chars().all(|c| c.is_ascii_digit() || c == '.');
    let percent: f64 = text.parse().ok().filter(|_| is_plain)?;
    (0.0..=100.0).contains(&percent).then_some(percent / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 to 10, once each.
    fn ten() -> Summary {
        let mut all = Summary::of(1.0);
        (2..=10).for_each(|n| all.add(&Summary::of(f64::from(n))));
        all
    }

    #[test]
    fn statistics_of_a_part() {
        for (text, expected) in [
            ("tm90", 5.0),
            ("TM(:90%)", 5.0),
            ("TM(10%:90%)", 5.5),
            ("TM(50%:)", 8.0),
            ("IQM", 5.5),
            ("TM(2:4)", 3.5),
            ("tc90", 9.0),
            ("TC(2:4)", 2.0),
            ("TC(100:)", 0.0),
            ("ts90", 45.0),
            ("TS(80%:)", 19.0),
            ("PR(:3)", 30.0),
            ("PR(3:5)", 20.0),
            ("wm80", 5.2),
            ("WM(2:9)", 5.5),
        ] {
            let value = Trimmed::parse(text).unwrap().of(&ten()).unwrap();
            assert!((value - expected).abs() < 1e-9, "{text}: {value}");
        }
        assert_eq!(Trimmed::parse("TM(100:200)").unwrap().of(&ten()), None, "no values");
        let unknown = Summary { distribution: None, ..ten() };
        assert_eq!(Trimmed::parse("tm90").unwrap().of(&unknown), None);
    }

    #[test]
    fn refuses_other_texts() {
        for text in [
            "tm",
            "tm101",
            "TM()",
            "TM(:)",
            "TM(10%:90)",
            "TM(90%:10%)",
            "PR(10%:20%)",
            "pr90",
            "tmx",
            "TX90",
            "",
            "é1",
        ] {
            assert_eq!(Trimmed::parse(text), None, "{text}");
        }
    }
}
