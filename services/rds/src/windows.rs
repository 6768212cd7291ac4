//! The windows of backups and of maintenance: their format, their length, and that they do not overlap.
//!
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html>: `PreferredBackupWindow`,
//! `PreferredMaintenanceWindow`.

use crate::Error;
use escale_base::Timestamp;

pub(crate) const BACKUP: &str = "03:00-04:00";
pub(crate) const MAINTENANCE: &str = "sun:04:30-sun:05:30";

const DAY: i64 = 24 * 60;
const WEEK: i64 = 7 * DAY;
pub(crate) const WEEK_MS: i64 = WEEK * 60_000;
/// AWS: "Constraints: must be at least 30 minutes".
const SHORTEST: i64 = 30;
/// The epoch was a Thursday.
const DAYS: [&str; 7] = ["thu", "fri", "sat", "sun", "mon", "tue", "wed"];

/// Minutes from the begin of the day or of the week, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    begin: i64,
    minutes: i64,
}

/// The two windows in lower case. One that is not given does not overlap the other one.
pub(crate) fn both(backup: Option<&str>, maintenance: Option<&str>) -> Result<(String, String), Error> {
    let overlap = || Error::Value("The backup window and maintenance window must not overlap.".into());
    let (backup, maintenance) = match (backup, maintenance) {
        (Some(backup), Some(maintenance)) => (backup.to_owned(), maintenance.to_owned()),
        (Some(backup), None) => {
            let hours = (0..24).map(|hour| format!("sun:{hour:02}:30-sun:{:02}:30", (hour + 1) % 24));
            let later = hours.take(23).find(|hour| !overlaps(backup, hour));
            let default = Some(MAINTENANCE.to_owned()).filter(|usual| !overlaps(backup, usual));
            (backup.to_owned(), default.or(later).ok_or_else(overlap)?)
        }
        (None, Some(maintenance)) => {
            let hours = (0..24).map(|hour| format!("{hour:02}:00-{hour:02}:30"));
            let mut all = std::iter::once(BACKUP.to_owned()).chain(hours);
            (all.find(|hour| !overlaps(hour, maintenance)).ok_or_else(overlap)?, maintenance.to_owned())
        }
        (None, None) => (BACKUP.to_owned(), MAINTENANCE.to_owned()),
    };
    daily(&backup)?;
    weekly(&maintenance)?;
    if overlaps(&backup, &maintenance) {
        return Err(overlap());
    }
    Ok((backup.to_ascii_lowercase(), maintenance.to_ascii_lowercase()))
}

/// Whether they share a minute. A window that is not valid overlaps none.
fn overlaps(backup: &str, maintenance: &str) -> bool {
    let (Ok(daily), Ok(weekly)) = (daily(backup), weekly(maintenance)) else { return false };
    (0..7).any(|day| {
        let begin = day * DAY + daily.begin;
        let apart = (weekly.begin - begin).rem_euclid(WEEK);
        apart < daily.minutes || (begin - weekly.begin).rem_euclid(WEEK) < weekly.minutes
    })
}

fn daily(text: &str) -> Result<Window, Error> {
    let parsed = text.split_once('-').and_then(|(from, to)| Some((clock(from)?, clock(to)?)));
    let (begin, end) = parsed.ok_or_else(|| {
        Error::Value(format!("Invalid backup window format: {text}. Should be specified as hh24:mi-hh24:mi"))
    })?;
    long_enough(text, Window { begin, minutes: (end - begin).rem_euclid(DAY) })
}

fn weekly(text: &str) -> Result<Window, Error> {
    let lower = text.to_ascii_lowercase();
    let parsed = lower.split_once('-').and_then(|(from, to)| Some((moment(from)?, moment(to)?)));
    let (begin, end) = parsed.ok_or_else(|| {
        Error::Value(format!(
            "Invalid maintenance window format: {text}. Should be specified as ddd:hh24:mi-ddd:hh24:mi"
        ))
    })?;
    long_enough(text, Window { begin, minutes: (end - begin).rem_euclid(WEEK) })
}

fn long_enough(text: &str, window: Window) -> Result<Window, Error> {
    if (SHORTEST..=DAY).contains(&window.minutes) {
        Ok(window)
    } else {
        Err(Error::Value(format!("The window {text} must be at least 30 minutes and at most a day long.")))
    }
}

/// `hh:mm`
fn clock(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |digits: &str, below: i64| {
        let both = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
        digits.parse::<i64>().ok().filter(|n| both && *n < below)
    };
    Some(number(hours, 24)? * 60 + number(minutes, 60)?)
}

/// `ddd:hh:mm`
fn moment(text: &str) -> Option<i64> {
    let (day, time) = text.split_once(':')?;
    let day = i64::try_from(DAYS.iter().position(|d| *d == day)?).ok()?;
    Some(day * DAY + clock(time)?)
}

/// The last begin of a backup window.
pub(crate) fn backup_begin(window: &str, now: Timestamp) -> Timestamp {
    let begin = daily(window).map_or(0, |w| w.begin);
    last(begin, DAY, now)
}

/// The last begin of a maintenance window, and its end.
pub(crate) fn maintenance(window: &str, now: Timestamp) -> (Timestamp, Timestamp) {
    let Ok(window) = weekly(window) else { return (Timestamp(0), Timestamp(0)) };
    let begin = last(window.begin, WEEK, now);
    (begin, begin.plus_ms(window.minutes * 60_000))
}

/// The last time that is `minutes` after the begin of a period.
fn last(minutes: i64, period: i64, now: Timestamp) -> Timestamp {
    let period_ms = period * 60_000;
    let this = Timestamp(now.0 - now.0.rem_euclid(period_ms) + minutes * 60_000);
    if this <= now { this } else { this.plus_ms(-period_ms) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    #[test]
    fn windows_are_checked_and_lower_cased() {
        for (backup, maintenance, good) in [
            ("03:00-04:00", "Sun:04:30-SUN:05:30", true),
            ("23:45-00:15", "mon:01:00-mon:02:00", true),
            ("03:00-04:00", "sun:03:30-sun:05:30", false),
            ("03:00-04:00", "sat:23:00-sun:03:01", false),
            ("23:00-01:00", "sun:00:30-sun:01:30", false),
            ("03:00-03:29", "sun:04:30-sun:05:30", false),
            ("03:00-04:00", "sun:04:30-sun:04:59", false),
            ("03:00-04:00", "sun:04:30-tue:05:30", false),
            ("3:00-4:00", "sun:04:30-sun:05:30", false),
            ("03:00-24:00", "sun:04:30-sun:05:30", false),
            ("03:00-04:00", "sunday:04:30-sun:05:30", false),
            ("+3:00-04:00", "sun:04:30-sun:05:30", false),
        ] {
            let made = both(Some(backup), Some(maintenance));
            assert_eq!(made.is_ok(), good, "{backup} {maintenance}: {made:?}");
            if let Ok((_, lower)) = made {
                assert_eq!(lower, maintenance.to_ascii_lowercase());
            }
        }
        let (_, moved) = both(Some("04:00-05:00"), None).unwrap();
        assert_eq!(moved, "sun:00:30-sun:01:30");
        let (moved, _) = both(None, Some("sun:03:00-sun:04:00")).unwrap();
        assert_eq!(moved, "00:00-00:30");
    }

    #[test]
    fn window_starts_today_or_yesterday() {
        let day = 24 * HOUR_MS;
        let noon = Timestamp(10 * day + day / 2);
        assert_eq!(backup_begin("03:00-04:00", noon).0, 10 * day + 3 * HOUR_MS);
        assert_eq!(backup_begin("13:30-14:00", noon).0, 9 * day + 13 * HOUR_MS + HOUR_MS / 2);
        // 1970-01-11 was a Sunday.
        assert_eq!(maintenance("sun:04:30-sun:05:30", noon).0.0, 10 * day + 4 * HOUR_MS + HOUR_MS / 2);
        assert_eq!(maintenance("mon:04:30-mon:05:30", noon).0.0, 4 * day + 4 * HOUR_MS + HOUR_MS / 2);
    }
}
