//! Decides from the heartbeats of a pair whether its primary or its standby is lost. Pure: time is counted in beats.
//!
//! Two observers probe both servers in each beat: one in the standby's network namespace, one in a third place. A server is
//! judged by what it answers, never by whether its process exists.

use crate::spec::Protection;

/// Beats without an answer until the primary is lost. With 200 ms a beat, the verdict is known 600 to 800 ms after the fault.
pub(crate) const MISSES: u32 = 3;
/// Beats with a closed port until it is: no load of the machine closes a port.
pub(crate) const REFUSALS: u32 = 2;

/// What one observer learned of the primary in one beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A row was committed on the primary's own disk.
    Committed {
        /// The end of the primary's WAL.
        end: u64,
        /// The end of the WAL that the standby has flushed; `None` while it is not streaming.
        flushed: Option<u64>,
    },
    /// It answered with an error, such as too many connections: it lives, and nothing is known of its standby.
    Answered,
    Silent(Silence),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Silence {
    /// The port is closed: the server has ended, or does not accept clients.
    Refused,
    /// No connection could be made in time.
    #[default]
    Unreachable,
    /// A connection exists, and nothing was committed in time: the server or its disk is stuck, or the network is cut.
    Stalled,
}

/// One observer's beat.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    pub(crate) primary: Heard,
    /// Whether the primary answered a question that needs no disk. A server that is frozen does not; one that only waits for its disk does.
    pub(crate) reads: bool,
    /// Whether the standby answered the same observer: the control that distinguishes a lost primary from a blind observer.
    pub(crate) standby: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Beat {
    pub(crate) views: [View; 2],
    /// The loop itself ran late, so it may have given the servers too little time.
    pub(crate) late: bool,
    /// Files elsewhere on this machine are not flushed in time either.
    pub(crate) disk_is_slow: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Nothing,
    /// The standby has every acknowledged row, and may be promoted.
    PrimaryLost(Silence),
    /// Commits wait for a standby that does not flush; the primary should go on without it.
    StandbyLost,
}

#[derive(Debug, Default)]
pub(crate) struct Judge {
    misses: [u32; 2],
    /// Beats in a row in which the primary committed and the standby flushed nothing of what it owes.
    stale: u32,
    /// The primary's end of WAL at an earlier beat.
    owed: Option<u64>,
    flushed: Option<u64>,
    streams: bool,
}

impl Judge {
    /// `grace`: beats until a standby that flushes nothing is lost.
    pub(crate) fn hear(&mut self, beat: &Beat, protection: Protection, grace: u32) -> Verdict {
        if beat.late {
            return Verdict::Nothing;
        }
        for (misses, view) in self.misses.iter_mut().zip(&beat.views) {
            match view.primary {
                Heard::Committed { .. } | Heard::Answered => *misses = 0,
                // A busy machine or a blind observer: neither counts, nor clears.
                Heard::Silent(_) if !view.standby => {}
                // It waits for a disk, as others on this machine do.
                Heard::Silent(Silence::Stalled) if beat.disk_is_slow && view.reads => {}
                Heard::Silent(_) => *misses += 1,
            }
        }
        let silent = beat.views.map(|v| match v.primary {
            Heard::Silent(why) => Some(why),
            _ => None,
        });
        if let [Some(a), Some(b)] = silent {
            // While no observer reaches the primary, nothing is known of its standby: it is not given up.
            return match protection {
                Protection::Protected if self.is_lost(a, b) => Verdict::PrimaryLost(worst(a, b)),
                _ => Verdict::Nothing,
            };
        }
        self.follow_standby(beat);
        // A standby that answers and is connected may only be busy: it gets half as much time again.
        let grace =
            if self.streams && beat.views.iter().any(|v| v.standby) { grace + grace / 2 } else { grace };
        match protection {
            Protection::Alone => {
                self.stale = 0;
                Verdict::Nothing
            }
            _ if self.stale >= grace => Verdict::StandbyLost,
            _ => Verdict::Nothing,
        }
    }

    fn is_lost(&self, a: Silence, b: Silence) -> bool {
        let closed = a == Silence::Refused && b == Silence::Refused;
        let enough = if closed { REFUSALS } else { MISSES };
        self.misses.iter().all(|m| *m >= enough)
    }

    /// Whether something is missing, so that a control of the disk is worth its cost.
    pub(crate) fn suspects(&self) -> bool {
        self.stale > 0 || self.misses.iter().any(|m| *m > 0)
    }

    /// Whether both observers miss the primary: it may have to be replaced soon.
    pub(crate) fn suspects_primary(&self) -> bool {
        self.misses.iter().all(|m| *m > 0)
    }

    fn follow_standby(&mut self, beat: &Beat) {
        let committed = beat.views.iter().filter_map(|v| match v.primary {
            Heard::Committed { end, flushed } => Some((end, flushed)),
            _ => None,
        });
        let Some((end, flushed)) = committed.max_by_key(|(end, _)| *end) else { return };
        let advanced = flushed.is_some_and(|f| {
            self.owed.is_none_or(|owed| f >= owed) || self.flushed.is_none_or(|before| f > before)
        });
        if advanced {
            self.stale = 0;
        } else if !beat.disk_is_slow {
            self.stale += 1;
        }
        (self.owed, self.flushed) = (Some(end), flushed.or(self.flushed));
        self.streams = flushed.is_some();
    }
}

/// A refusal is certain; a stall says more than no connection.
fn worst(a: Silence, b: Silence) -> Silence {
    use Silence::{Refused, Stalled, Unreachable};
    match (a, b) {
        (Refused, _) | (_, Refused) => Refused,
        (Stalled, _) | (_, Stalled) => Stalled,
        _ => Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: u32 = 5;
    const SILENT: Heard = Heard::Silent(Silence::Stalled);

    fn good(n: u64) -> Heard {
        Heard::Committed { end: n * 100, flushed: Some(n * 100 - 50) }
    }

    fn beat(a: (Heard, bool), b: (Heard, bool)) -> Beat {
        let view = |(primary, standby)| View { primary, reads: true, standby };
        Beat { views: [view(a), view(b)], late: false, disk_is_slow: false }
    }

    /// The verdict after each of these beats.
    fn verdicts(protection: Protection, beats: &[Beat]) -> Vec<Verdict> {
        let mut judge = Judge::default();
        beats.iter().map(|b| judge.hear(b, protection, GRACE)).collect()
    }

    fn last(protection: Protection, beats: &[Beat]) -> Verdict {
        *verdicts(protection, beats).last().unwrap()
    }

    #[test]
    fn primary_is_lost_after_three_silent_beats_of_both_observers() {
        let silent = beat((SILENT, true), (SILENT, true));
        let seen = verdicts(
            Protection::Protected,
            &[beat((good(1), true), (good(1), true)), silent, silent, silent],
        );
        let lost = Verdict::PrimaryLost(Silence::Stalled);
        assert_eq!(seen, [Verdict::Nothing, Verdict::Nothing, Verdict::Nothing, lost]);
    }

    #[test]
    fn a_standby_that_may_lack_rows_is_never_promoted() {
        let silent = [beat((SILENT, true), (SILENT, true)); 20];
        assert_eq!(last(Protection::Arming, &silent), Verdict::Nothing);
        assert_eq!(last(Protection::Alone, &silent), Verdict::Nothing);
    }

    #[test]
    fn one_observer_alone_decides_nothing() {
        let beats: Vec<Beat> = (1..30).map(|n| beat((SILENT, true), (good(n), true))).collect();
        assert_eq!(last(Protection::Protected, &beats), Verdict::Nothing);
        // A refused statement is an answer, too.
        let beats = [beat((SILENT, true), (Heard::Answered, true)); 30];
        assert_eq!(last(Protection::Protected, &beats), Verdict::Nothing);
    }

    #[test]
    fn an_observer_that_does_not_reach_the_standby_either_is_blind() {
        for blind in
            [[(SILENT, false), (SILENT, true)], [(SILENT, true), (SILENT, false)], [(SILENT, false); 2]]
        {
            let beats = [beat(blind[0], blind[1]); 30];
            assert_eq!(last(Protection::Protected, &beats), Verdict::Nothing);
        }
    }

    #[test]
    fn late_beats_and_a_slow_disk_do_not_count() {
        let silent = beat((SILENT, true), (SILENT, true));
        let late = [Beat { late: true, ..silent }; 30];
        assert_eq!(last(Protection::Protected, &late), Verdict::Nothing);
        let slow = [Beat { disk_is_slow: true, ..silent }; 30];
        assert_eq!(last(Protection::Protected, &slow), Verdict::Nothing);
        // A frozen server does not answer, however slow the disk is.
        let frozen = Beat { views: slow[0].views.map(|v| View { reads: false, ..v }), ..slow[0] };
        assert_eq!(last(Protection::Protected, &[frozen; 3]), Verdict::PrimaryLost(Silence::Stalled));
        // A closed port does not depend on the disk.
        let refused = Heard::Silent(Silence::Refused);
        let gone = [Beat { disk_is_slow: true, ..beat((refused, true), (refused, true)) }; 2];
        assert_eq!(last(Protection::Protected, &gone), Verdict::PrimaryLost(Silence::Refused));
    }

    #[test]
    fn standby_that_flushes_nothing_is_lost_after_the_grace_period() {
        for flushed in [None, Some(40)] {
            let stuck = |n: u64| Heard::Committed { end: n * 100, flushed };
            let beats: Vec<Beat> = (1..=7).map(|n| beat((stuck(n), false), (stuck(n), false))).collect();
            let seen = verdicts(Protection::Protected, &beats);
            let first = seen.iter().position(|v| *v == Verdict::StandbyLost).unwrap();
            assert!((4..=5).contains(&first), "{seen:?}");
            assert_eq!(last(Protection::Alone, &beats), Verdict::Nothing, "nothing is left to give up");
        }
    }

    #[test]
    fn slow_standby_that_advances_is_kept() {
        let beats: Vec<Beat> = (1..40)
            .map(|n| Heard::Committed { end: n * 1000, flushed: Some(n) })
            .map(|h| beat((h, true), (h, true)))
            .collect();
        assert!(verdicts(Protection::Protected, &beats).iter().all(|v| *v == Verdict::Nothing));
    }

    #[test]
    fn standby_is_not_given_up_while_the_primary_is_what_is_not_reached() {
        let mut beats = vec![beat((good(1), true), (good(1), true))];
        beats.extend([beat((SILENT, false), (SILENT, false)); 30]);
        assert_eq!(last(Protection::Protected, &beats), Verdict::Nothing);
    }
}
