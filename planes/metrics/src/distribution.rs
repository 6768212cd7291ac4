//! An approximation of how values are distributed, of bounded size.

/// Groups that a distribution keeps. Up to so many different values it is exact.
pub(crate) const GROUPS: usize = 32;

/// Values with how often each occurs, sorted. When there are more than `GROUPS`, the two neighbours whose union loses least
/// become one, with the mean of their values: groups of many values stay apart, and the greatest values keep a group of their
/// own.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution(Vec<(f64, f64)>);

impl Distribution {
    pub fn of(value: f64, count: f64) -> Distribution {
        Distribution(vec![(value, count)])
    }

    /// From values with how often each occurs.
    pub fn from_counts(counts: impl IntoIterator<Item = (f64, f64)>) -> Distribution {
        let mut groups: Vec<(f64, f64)> = counts.into_iter().filter(|(_, count)| *count > 0.0).collect();
        groups.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut distribution = Distribution(groups);
        distribution.reduce();
        distribution
    }

    pub fn with(&self, other: &Distribution) -> Distribution {
        Distribution::from_counts(self.0.iter().chain(&other.0).copied())
    }

    pub fn groups(&self) -> &[(f64, f64)] {
        &self.0
    }

    pub fn count(&self) -> f64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// The value below which `share` (0 to 1) of all values lie. The values of a group lie around their mean, as far as half way to
    /// the nearer neighbour.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let rank = share.clamp(0.0, 1.0) * self.count();
        let mut before = 0.0;
        for (index, (value, count)) in self.0.iter().enumerate() {
            if rank <= before + count || index + 1 == self.0.len() {
                let apart = |other: Option<&(f64, f64)>| other.map(|(other, _)| (other - value).abs());
                let previous = apart(index.checked_sub(1).and_then(|i| self.0.get(i)));
                let nearest = [previous, apart(self.0.get(index + 1))].into_iter().flatten().reduce(f64::min);
                let is_one_value = *count <= 1.0 || self.0.len() < GROUPS;
                let half = if is_one_value { 0.0 } else { nearest.unwrap_or(0.0) / 2.0 };
                return Some(value + half * (2.0 * (rank - before) / count - 1.0).clamp(-1.0, 1.0));
            }
            before += count;
        }
        None
    }

    fn reduce(&mut self) {
        let groups = &mut self.0;
        groups.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        while groups.len() > GROUPS {
            let loss = |i: &usize| {
                let ((low, few), (high, many)) = (groups[*i], groups[i + 1]);
                let apart = scale(high) - scale(low);
                few * many / (few + many) * apart * apart
            };
            let least = (0..groups.len() - 1).min_by(|a, b| loss(a).total_cmp(&loss(b)));
            let Some(least) = least else { return };
            let (next, kept) = (groups.remove(least + 1), &mut groups[least]);
            kept.0 = (kept.0 * kept.1 + next.0 * next.1) / (kept.1 + next.1);
            kept.1 += next.1;
        }
    }
}

/// Logarithmic except around zero: a millisecond more matters at two milliseconds, not at two seconds.
fn scale(value: f64) -> f64 {
    (value * 1e6).asinh()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_exact_for_few_values() {
        let few = Distribution::from_counts([(3.0, 1.0), (1.0, 1.0), (2.0, 1.0), (2.0, 1.0)]);
        assert_eq!(few.groups(), [(1.0, 1.0), (2.0, 2.0), (3.0, 1.0)]);
        assert_eq!(
            (few.quantile(0.0), few.quantile(0.5), few.quantile(1.0)),
            (Some(1.0), Some(2.0), Some(3.0))
        );
    }

    #[test]
    fn quantiles_of_many_values_are_close() {
        let mut all = Distribution::of(1.0, 1.0);
        for i in 2..=10_000 {
            all = all.with(&Distribution::of(f64::from(i), 1.0));
        }
        assert!(all.groups().len() <= GROUPS);
        assert!((all.count() - 10_000.0).abs() < 1e-6);
        for share in [0.5, 0.9, 0.99] {
            let (found, real) = (all.quantile(share).unwrap(), 10_000.0 * share);
            assert!((found / real - 1.0).abs() < 0.1, "p{share}: {found} instead of {real}");
        }
    }

    #[test]
    fn a_rare_large_value_is_not_lost() {
        let fast = (0..1000).map(|i| (0.001 + f64::from(i) * 1e-6, 1.0));
        let all = Distribution::from_counts(fast.chain([(5.0, 1.0)]));
        assert_eq!(all.quantile(1.0), Some(5.0));
        assert!(all.quantile(0.99).unwrap() < 0.003);
    }
}
