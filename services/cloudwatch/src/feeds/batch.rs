//! The values of one pass.

use super::Pass;
use crate::choices::StandardUnit;
use escale_base::Timestamp;
use escale_metrics::{Datum, Series, Summary};

pub(super) struct Batch {
    pub(super) pass: Pass,
    /// Whether minutes are so short that seconds must be kept.
    fine: bool,
    data: Vec<Datum>,
}

/// A metric of a service of AWS.
#[derive(Clone, Copy)]
pub(super) struct Name<'a> {
    pub(super) space: &'a str,
    pub(super) name: &'a str,
    pub(super) unit: StandardUnit,
}

pub(super) type Labels<'a> = &'a [(&'a str, &'a str)];

impl Batch {
    pub(super) fn new(pass: Pass, fine: bool) -> Batch {
        Batch { pass, fine, data: Vec::new() }
    }

    /// A value of the last minute, once for each set of dimensions.
    pub(super) fn minute(&mut self, name: Name<'_>, labels: &[Labels<'_>], summary: &Summary) {
        self.add(name, labels, summary, self.pass.minute, self.fine);
    }

    /// A value of the interval of the last `secs` seconds.
    pub(super) fn add(
        &mut self,
        name: Name<'_>,
        labels: &[Labels<'_>],
        summary: &Summary,
        secs: i64,
        fine: bool,
    ) {
        for set in labels {
            let mut set: Vec<(String, String)> =
                set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            set.sort();
            let (space, unit) = (name.space.to_owned(), name.unit.as_str().to_owned());
            let series = Series { space, name: name.name.to_owned(), labels: set, unit };
            let at = Timestamp((self.pass.now - secs) * 1000);
            self.data.push(Datum { series, at, fine: fine || self.fine, summary: summary.clone() });
        }
    }

    pub(super) fn into_data(self) -> Vec<Datum> {
        self.data
    }

    #[cfg(test)]
    pub(super) fn values(&self) -> Vec<(String, f64)> {
        let text = |d: &Datum| {
            let labels: Vec<String> = d.series.labels.iter().map(|(n, v)| format!("{n}={v}")).collect();
            (format!("{} {}", d.series.name, labels.join(",")), d.summary.sum)
        };
        self.data.iter().map(text).collect()
    }
}
