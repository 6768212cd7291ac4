//! When a scheduled action is due. Pure.
//!
//! Source: <https://docs.aws.amazon.com/autoscaling/application/userguide/scheduled-scaling-using-cron-expressions.html>

mod cron;

use crate::Error;
use cron::Cron;
use escale_base::Timestamp;
use escale_tables::autoscaling::ScheduledAction;
use jiff::{civil::DateTime, tz::TimeZone};

/// A schedule that was read.
#[derive(Debug)]
pub(crate) struct When {
    times: Times,
    zone: TimeZone,
}

#[derive(Debug)]
enum Times {
    At(DateTime),
    Every { ms: i64 },
    Cron(Cron),
}

impl When {
    pub(crate) fn parse(schedule: &str, zone: Option<&str>) -> Result<When, Error> {
        let invalid = || Error::Invalid(format!("Invalid schedule expression: {schedule}"));
        let zone = zone.map_or(Ok(TimeZone::UTC), time_zone)?;
        let inner = |name: &str| {
            let rest = schedule.trim().strip_prefix(name)?.trim_start().strip_prefix('(')?;
            rest.strip_suffix(')').map(str::trim)
        };
        let times = if let Some(at) = inner("at") {
            Times::At(at.parse().map_err(|_| invalid())?)
        } else if let Some(rate) = inner("rate") {
            Times::Every { ms: rate_ms(rate).ok_or_else(invalid)? }
        } else {
            Times::Cron(inner("cron").and_then(Cron::parse).ok_or_else(invalid)?)
        };
        Ok(When { times, zone })
    }

    /// Whether it has no time after this one.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        matches!(&self.times, Times::At(at) if self.instant(*at).is_none_or(|at| at <= now))
    }

    /// The first time after `after`. Rates count from `from`; `speed` shortens them, and no other schedule.
    fn next(&self, after: Timestamp, from: Timestamp, speed: i64) -> Option<Timestamp> {
        match &self.times {
            Times::At(at) => self.instant(*at).filter(|at| *at > after),
            Times::Every { ms } => {
                let ms = (ms / speed).max(1000);
                let passed = after.since_ms(from).div_euclid(ms) + 1;
                Some(from.plus_ms(passed.max(0).saturating_mul(ms)))
            }
            Times::Cron(cron) => {
                let local = jiff::Timestamp::from_millisecond(after.0).ok()?.to_zoned(self.zone.clone());
                cron.dates_from(local.date()).find_map(|date| {
                    let mut times = cron.times_of(date).filter_map(|at| self.instant(at));
                    times.find(|at| *at > after)
                })
            }
        }
    }

    /// A time that a change of clocks skips is as much later as the change is long.
    fn instant(&self, local: DateTime) -> Option<Timestamp> {
        let zoned = local.to_zoned(self.zone.clone()).ok()?;
        Some(Timestamp(zoned.timestamp().as_millisecond()))
    }
}

fn time_zone(name: &str) -> Result<TimeZone, Error> {
    // An operating system without time zones has no other one.
    if matches!(name, "UTC" | "Etc/UTC" | "GMT" | "Etc/GMT") {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(name).map_err(|_| {
        Error::Invalid(format!(
            "Invalid timezone: {name}. Use a name of the IANA time zone database that is installed on this machine (package tzdata)."
        ))
    })
}

/// `5 minutes`
fn rate_ms(text: &str) -> Option<i64> {
    let (value, unit) = text.split_once(' ')?;
    let value: i64 = value.parse().ok().filter(|value| *value > 0)?;
    let minutes = match (unit.trim(), value) {
        ("minute", 1) | ("minutes", 2..) => 1,
        ("hour", 1) | ("hours", 2..) => 60,
        ("day", 1) | ("days", 2..) => 1440,
        _ => return None,
    };
    value.checked_mul(minutes * 60_000)
}

/// The next time of an action after the last one that was enacted, if it has any. Times that passed while no daemon ran are due
/// at once, and only once.
pub(crate) fn due(action: &ScheduledAction, last: Option<Timestamp>, speed: i64) -> Option<Timestamp> {
    // Checked when the action was put. The operating system may have lost a time zone since.
    let when = When::parse(&action.schedule, action.timezone.as_deref()).ok()?;
    let mut after = last.map_or(action.updated, |last| last.max(action.updated));
    if let Some(start) = action.start {
        after = after.max(start.plus_ms(-1));
    }
    let next = when.next(after, action.start.unwrap_or(action.updated), speed)?;
    action.end.is_none_or(|end| next <= end).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_tables::autoscaling::ResourceId;

    fn action(schedule: &str, timezone: Option<&str>, updated: &str) -> ScheduledAction {
        ScheduledAction {
            resource: ResourceId::from("service/shop/web"),
            name: "a".into(),
            arn: String::new(),
            schedule: schedule.into(),
            timezone: timezone.map(str::to_owned),
            start: None,
            end: None,
            min: None,
            max: None,
            created: time(updated),
            updated: time(updated),
        }
    }

    fn time(text: &str) -> Timestamp {
        Timestamp::parse_iso8601(text).unwrap()
    }

    #[track_caller]
    fn check(schedule: &str, timezone: Option<&str>, after: &str, expected: &str) {
        let next = due(&action(schedule, timezone, after), None, 1);
        let next = next.map_or("never".into(), |at| at.iso8601().replace(".000Z", "Z"));
        assert_eq!(next, expected, "{schedule} {timezone:?} after {after}");
    }

    #[test]
    fn schedules_have_their_next_times() {
        let now = "2026-11-30T10:20:30Z"; // a Monday
        check("at(2026-12-01T08:00:00)", None, now, "2026-12-01T08:00:00Z");
        check("at(2026-12-01T08:00:00)", Some("America/New_York"), now, "2026-12-01T13:00:00Z");
        check("at(2026-11-30T08:00:00)", None, now, "never");
        check("rate(1 minute)", None, now, "2026-11-30T10:21:30Z");
        check("rate(2 hours)", None, now, "2026-11-30T12:20:30Z");
        for (cron, expected) in [
            ("0 9 * * ? *", "2026-12-01T09:00:00Z"),
            ("*/15 * * * ? *", "2026-11-30T10:30:00Z"),
            ("0 8 ? * MON-FRI *", "2026-12-01T08:00:00Z"),
            ("0 11 ? * 2 *", "2026-11-30T11:00:00Z"),
            ("0 0 L * ? *", "2026-12-31T00:00:00Z"),
            ("0 0 1W * ? *", "2026-12-01T00:00:00Z"),
            ("0 0 15W 8 ? 2027", "2027-08-16T00:00:00Z"),
            ("0 0 ? * 6L *", "2026-12-25T00:00:00Z"),
            ("0 0 ? * MON#2 *", "2026-12-14T00:00:00Z"),
            ("30 6 1,15 JAN,JUL ? *", "2027-01-01T06:30:00Z"),
            ("0 0 29 2 ? *", "2028-02-29T00:00:00Z"),
            ("0 0 30 2 ? *", "never"),
            ("0 0 1 1 ? 2020", "never"),
        ] {
            check(&format!("cron({cron})"), None, now, expected);
        }
    }

    #[test]
    fn zones_change_their_clocks() {
        let nine = "cron(0 9 * * ? *)";
        check(nine, Some("Europe/Paris"), "2026-03-27T12:00:00Z", "2026-03-28T08:00:00Z");
        check(nine, Some("Europe/Paris"), "2026-03-28T12:00:00Z", "2026-03-29T07:00:00Z");
        // 02:30 does not exist on that day.
        check("cron(30 2 * * ? *)", Some("Europe/Paris"), "2026-03-28T12:00:00Z", "2026-03-29T01:30:00Z");
    }

    #[test]
    fn start_and_end_limit_a_schedule() {
        let mut rate = action("rate(10 minutes)", None, "2026-11-30T10:00:00Z");
        rate.start = Some(time("2026-11-30T12:00:00Z"));
        rate.end = Some(time("2026-11-30T12:15:00Z"));
        let first = due(&rate, None, 1);
        assert_eq!(first, rate.start);
        let second = due(&rate, first, 1);
        assert_eq!(second, Some(time("2026-11-30T12:10:00Z")));
        assert_eq!(due(&rate, second, 1), None);
        assert_eq!(due(&rate, first, 10), Some(time("2026-11-30T12:01:00Z")), "ten times as fast");
    }

    #[test]
    fn refuses_what_aws_refuses() {
        for text in [
            "every day",
            "at(tomorrow)",
            "rate(1 minutes)",
            "rate(0 hours)",
            "rate(5 seconds)",
            "cron(* * * * *)",
            "cron(0 9 * * * *)",
            "cron(0 9 ? * ? *)",
            "cron(60 9 * * ? *)",
            "cron(0 24 * * ? *)",
            "cron(0 9 ? * 8 *)",
            "cron(0 9 32 * ? *)",
            "cron(0 17-9 * * ? *)",
            "cron(0 9 ? * MON#6 *)",
        ] {
            assert!(When::parse(text, None).is_err(), "{text}");
        }
        let error = When::parse("rate(1 hour)", Some("Mars/Olympus")).unwrap_err().to_string();
        assert!(error.contains("Mars/Olympus"), "{error}");
    }
}
