//! Requests, errors and acknowledged rows over time, for a terminal.

use super::report::Figures;
use std::time::{Duration, Instant};

/// Columns of the bars, beside their names and their maximum.
const WIDTH: usize = 60;

const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Equal periods of the drill, and the numbers of events in each.
pub(super) struct Periods {
    pub(super) length: Duration,
    begun: Instant,
    pub(super) requests: Vec<u32>,
    pub(super) errors: Vec<u32>,
    pub(super) rows: Option<Vec<u32>>,
}

impl Periods {
    /// At most so many, of whole seconds.
    pub(super) fn of(f: &Figures, most: usize) -> Periods {
        let end = f.samples.iter().map(|s| s.begun).max().unwrap_or(f.lifted).max(f.lifted);
        let seconds = usize::try_from((end - f.begun).as_secs()).unwrap_or(usize::MAX) + 1;
        let length = seconds.div_ceil(most.max(1)).max(1);
        let (count, length) = (seconds.div_ceil(length), Duration::from_secs(length as u64));
        let begun = f.begun;
        let counted = |moments: &mut dyn Iterator<Item = Instant>| {
            let mut all = vec![0; count];
            for moment in moments {
                let at = moment.saturating_duration_since(begun).as_nanos() / length.as_nanos();
                if let Some(n) = usize::try_from(at).ok().and_then(|at| all.get_mut(at)) {
                    *n += 1;
                }
            }
            all
        };
        let failed = f.samples.iter().filter(|s| s.error.is_some());
        Periods {
            length,
            begun,
            requests: counted(&mut f.samples.iter().map(|s| s.begun)),
            errors: counted(&mut failed.map(|s| s.begun)),
            rows: f.written.as_ref().map(|w| counted(&mut w.acknowledged.iter().copied())),
        }
    }

    /// The period of a moment.
    pub(super) fn at(&self, moment: Instant) -> usize {
        let passed = moment.saturating_duration_since(self.begun).as_nanos() / self.length.as_nanos();
        usize::try_from(passed).unwrap_or(usize::MAX).min(self.requests.len().saturating_sub(1))
    }
}

pub(super) fn draw(f: &Figures) -> Vec<String> {
    let periods = Periods::of(f, WIDTH);
    let seconds = periods.length.as_secs();
    let row = |name: &str, counts: &[u32]| {
        format!("{name:<9} {}  at most {} in {seconds} s", bars(counts), counts.iter().max().unwrap_or(&0))
    };
    let mut lines = vec![row("requests", &periods.requests), row("errors", &periods.errors)];
    lines.extend(periods.rows.as_ref().map(|rows| row("rows", rows)));
    let mut marks = vec![' '; periods.requests.len()];
    let fine = f.users_fine.filter(|d| !d.is_zero()).map(|d| (f.fault + d, 'F'));
    // The fault is written last: where two marks meet, it is the one that is shown.
    for (moment, mark) in [Some((f.lifted, 'L')), fine, Some((f.fault, '!'))].into_iter().flatten() {
        if let Some(cell) = marks.get_mut(periods.at(moment)) {
            *cell = mark;
        }
    }
    lines.push(format!(
        "{:<9} {}  ! fault, F users fine, L lifted",
        "",
        marks.into_iter().collect::<String>()
    ));
    lines
}

/// A bar for each count. Only a count of zero is empty.
fn bars(counts: &[u32]) -> String {
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let bar = |n: &u32| {
        let eighths = usize::try_from(u64::from(*n) * 8 / u64::from(most)).unwrap_or(8);
        BARS[if *n == 0 { 0 } else { eighths.max(1) }]
    };
    counts.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::bars;

    #[test]
    fn only_zero_is_empty() {
        assert_eq!(bars(&[0, 1, 50, 100]), " ▁▄█");
        assert_eq!(bars(&[0, 0]), "  ");
    }
}
