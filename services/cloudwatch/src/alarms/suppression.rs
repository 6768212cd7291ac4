//! Whether the actions of a composite alarm are suppressed by another alarm, its suppressor. Pure.
//!
//! A change of the alarm's state waits for the suppressor to enter ALARM. While the suppressor is in ALARM, and for some time after
//! that, no action is taken. Then the alarm takes the actions of the state that it is in, unless that is the state it came from.
//!
//! Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm_Suppression.html>

use escale_base::Timestamp;
use escale_tables::cloudwatch::{AlarmName, AlarmSuppression, StateValue, SuppressedBy};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Status {
    pub(super) by: Option<SuppressedBy>,
    pub(super) since: Timestamp,
    /// The state of the last actions, if a later change has not taken its own yet.
    pub(super) from: Option<StateValue>,
}

/// The suppressor, and what the user configured for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) in_alarm: bool,
    /// When it entered its state.
    pub(super) since: Timestamp,
    pub(super) wait_ms: i64,
    pub(super) extension_ms: i64,
}

impl Status {
    pub(super) const NONE: Status = Status { by: None, since: Timestamp(0), from: None };

    pub(super) fn of(row: &AlarmSuppression) -> Status {
        Status { by: row.by, since: row.since, from: row.from }
    }

    pub(super) fn row(self, name: &AlarmName) -> AlarmSuppression {
        AlarmSuppression { name: name.clone(), by: self.by, since: self.since, from: self.from }
    }

    /// The status after the alarm changed to `state`.
    pub(super) fn changed(self, from: StateValue, seen: Option<Seen>, now: Timestamp) -> Status {
        let waits = self.by.is_none() && seen.is_some_and(|seen| !seen.in_alarm && seen.wait_ms > 0);
        let from = Some(self.from.unwrap_or(from));
        if waits {
            Status { by: Some(SuppressedBy::WaitPeriod), since: now, from }
        } else {
            Status { from, ..self }
        }
    }

    /// The status now, and the state of the last actions if the alarm is to take those of `state`.
    pub(super) fn next(
        self,
        state: StateValue,
        seen: Option<Seen>,
        now: Timestamp,
    ) -> (Status, Option<StateValue>) {
        let mut status = self;
        match (seen, status.by) {
            (None, _) => status.by = None,
            (Some(seen), by) if seen.in_alarm && by != Some(SuppressedBy::Alarm) => {
                (status.by, status.since) = (Some(SuppressedBy::Alarm), seen.since);
            }
            (Some(seen), Some(SuppressedBy::Alarm)) if !seen.in_alarm => {
                (status.by, status.since) = (Some(SuppressedBy::ExtensionPeriod), seen.since);
            }
            _ => {}
        }
        let is_back = status.by == Some(SuppressedBy::WaitPeriod) && status.from == Some(state);
        if is_back || seen.and_then(|seen| status.until(seen)).is_some_and(|until| now >= until) {
            status.by = None;
        }
        if status.by.is_some() {
            return (status, None);
        }
        (Status::NONE, status.from.filter(|from| *from != state))
    }

    /// When it ends by itself.
    pub(super) fn until(self, seen: Seen) -> Option<Timestamp> {
        match self.by? {
            SuppressedBy::Alarm => None,
            SuppressedBy::WaitPeriod => Some(self.since.plus_ms(seen.wait_ms)),
            SuppressedBy::ExtensionPeriod => Some(self.since.plus_ms(seen.extension_ms)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use StateValue::{Alarm, InsufficientData, Ok};
    use SuppressedBy::{ExtensionPeriod, WaitPeriod};

    /// Seconds: the wait is 10, the extension 20.
    fn seen(in_alarm: bool, since: i64) -> Option<Seen> {
        Some(Seen { in_alarm, since: Timestamp(since * 1000), wait_ms: 10_000, extension_ms: 20_000 })
    }

    /// What suppresses, and the actions: from one state to another.
    type Shown = (Option<SuppressedBy>, Option<(StateValue, StateValue)>);

    /// What is shown after each of the events.
    fn follow(events: &[(i64, Option<StateValue>, Option<Seen>)]) -> Vec<Shown> {
        let (mut status, mut state) = (Status::NONE, Ok);
        let mut all = Vec::new();
        for (at, change, seen) in events {
            let now = Timestamp(at * 1000);
            if let Some(new) = change {
                status = status.changed(state, *seen, now);
                state = *new;
            }
            let (next, act) = status.next(state, *seen, now);
            status = next;
            // Nothing is left to do at the same time.
            assert_eq!(status.next(state, *seen, now), (status, None));
            all.push((status.by, act.map(|from| (from, state))));
        }
        all
    }

    #[test]
    fn actions_follow_after_the_wait() {
        let quiet = seen(false, 0);
        assert_eq!(
            follow(&[
                (100, Some(Alarm), quiet),
                (109, None, quiet),
                (110, None, quiet),
                (200, Some(Ok), quiet),
                (210, None, quiet)
            ]),
            [
                (Some(WaitPeriod), None),
                (Some(WaitPeriod), None),
                (None, Some((Ok, Alarm))),
                (Some(WaitPeriod), None),
                (None, Some((Alarm, Ok))),
            ]
        );
    }

    #[test]
    fn a_change_back_during_the_wait_takes_no_action() {
        let quiet = seen(false, 0);
        assert_eq!(
            follow(&[(100, Some(Alarm), quiet), (105, Some(Ok), quiet), (200, None, quiet)]),
            [(Some(WaitPeriod), None), (None, None), (None, None)]
        );
        assert_eq!(
            follow(&[(100, Some(Alarm), quiet), (105, Some(InsufficientData), quiet), (110, None, quiet)]),
            [(Some(WaitPeriod), None), (Some(WaitPeriod), None), (None, Some((Ok, InsufficientData)))]
        );
    }

    #[test]
    fn the_suppressor_and_the_time_after_it_suppress() {
        let (quiet, loud, left) = (seen(false, 0), seen(true, 105), seen(false, 150));
        let by = Some(SuppressedBy::Alarm);
        assert_eq!(
            follow(&[
                (100, Some(Alarm), quiet),
                (105, None, loud),
                (149, None, loud),
                (150, None, left),
                (169, None, left),
                (170, None, left),
            ]),
            [
                (Some(WaitPeriod), None),
                (by, None),
                (by, None),
                (Some(ExtensionPeriod), None),
                (Some(ExtensionPeriod), None),
                (None, Some((Ok, Alarm)))
            ]
        );
        // The alarm ends before the extension does.
        assert_eq!(
            follow(&[(110, Some(Alarm), loud), (150, None, left), (160, Some(Ok), left), (170, None, left)]),
            [(by, None), (Some(ExtensionPeriod), None), (Some(ExtensionPeriod), None), (None, None)]
        );
        // It suppresses also while nothing waits, and again.
        assert_eq!(
            follow(&[
                (106, None, loud),
                (150, None, left),
                (155, None, seen(true, 155)),
                (160, Some(Alarm), None)
            ]),
            [(by, None), (Some(ExtensionPeriod), None), (by, None), (None, Some((Ok, Alarm)))]
        );
    }

    #[test]
    fn without_periods_actions_follow_at_once() {
        let none = |in_alarm, since| Seen { wait_ms: 0, extension_ms: 0, ..seen(in_alarm, since).unwrap() };
        let (quiet, loud, left) = (Some(none(false, 0)), Some(none(true, 105)), Some(none(false, 150)));
        assert_eq!(
            follow(&[
                (100, Some(Alarm), quiet),
                (110, Some(Ok), loud),
                (150, None, left),
                (160, Some(Alarm), None)
            ]),
            [
                (None, Some((Ok, Alarm))),
                (Some(SuppressedBy::Alarm), None),
                (None, Some((Alarm, Ok))),
                (None, Some((Ok, Alarm)))
            ]
        );
    }
}
