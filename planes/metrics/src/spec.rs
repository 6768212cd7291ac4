//! Everything that the plane accepts and returns, as plain data.

use crate::Distribution;
use escale_base::Timestamp;
use serde::{Deserialize, Serialize};

/// Identifies a series.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Series {
    pub space: String,
    pub name: String,
    /// Sorted by name.
    pub labels: Vec<(String, String)>,
    pub unit: String,
}

/// Values to add to a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Datum {
    pub series: Series,
    pub at: Timestamp,
    /// Whether to keep the second, too. Otherwise the minute is the finest slot.
    pub fine: bool,
    pub summary: Summary,
}

/// What is known of some values.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    pub count: f64,
    pub sum: f64,
    pub min: f64,
    pub max: f64,
    /// `None` if only the other members were reported.
    pub distribution: Option<Distribution>,
}

impl Summary {
    /// One value.
    pub fn of(value: f64) -> Summary {
        Summary::repeated(value, 1.0)
    }

    /// The same value `count` times.
    pub fn repeated(value: f64, count: f64) -> Summary {
        let distribution = Some(Distribution::of(value, count));
        Summary { count, sum: value * count, min: value, max: value, distribution }
    }

    pub fn add(&mut self, other: &Summary) {
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.distribution = match (self.distribution.take(), &other.distribution) {
            (Some(own), Some(other)) => Some(own.with(other)),
            _ => None,
        };
    }
}

/// Which part of a series is read, and in which steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Seconds. The first step begins here.
    pub from: i64,
    /// Seconds; exclusive.
    pub until: i64,
    pub step_secs: i64,
}

/// The values of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Seconds: the beginning of the step.
    pub at: i64,
    pub summary: Summary,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub series: Series,
    /// When a value last arrived.
    pub written: Timestamp,
}

/// One of the rings of a series.
#[derive(Clone, Copy, Debug)]
pub struct Ring {
    pub step_secs: i64,
    pub slots: i64,
}

/// Seconds for 3 hours, minutes for 3 days, five minutes for 15 days, hours for 91 days: 21,624 slots of 40 bytes, 865 kB for a
/// series that uses all of them, and 433 kB without seconds.
pub const RINGS: [Ring; 4] = [
    Ring { step_secs: 1, slots: 3 * 3600 },
    Ring { step_secs: 60, slots: 3 * 1440 },
    Ring { step_secs: 300, slots: 15 * 288 },
    Ring { step_secs: 3600, slots: 91 * 24 },
];

/// Most series. With [`DISTRIBUTIONS`] it bounds the size on disk: 1.7 GB, and 150 MB for a common application of 200 series
/// after two weeks.
pub const SERIES: usize = 2000;

/// Most series whose distribution is kept, 5.7 MB each if all rings are full. Those of single values need no room.
pub const DISTRIBUTIONS: usize = 100;

/// A new series replaces the one that has had no value for the longest time, if that is longer than this.
pub const UNUSED_MS: i64 = 24 * 3_600_000;

/// The ring that a window is read from: the one with the longest steps that fit the window's.
pub(crate) fn ring_for(window: Window) -> usize {
    let fits = |r: &Ring| window.step_secs % r.step_secs == 0 && window.from % r.step_secs == 0;
    RINGS.iter().rposition(fits).unwrap_or(0)
}

/// The window's steps from the slots of a ring, which are sorted by time.
pub(crate) fn steps(window: Window, slots: impl IntoIterator<Item = (i64, Summary)>) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::new();
    for (start, summary) in slots {
        if start < window.from || start >= window.until {
            continue;
        }
        let at = window.from + (start - window.from) / window.step_secs * window.step_secs;
        match points.last_mut().filter(|p| p.at == at) {
            Some(point) => point.summary.add(&summary),
            None => points.push(Point { at, summary }),
        }
    }
    points
}
