//! Time comes from a [`Clock`], so that a simulation can control it.

use serde::{Deserialize, Serialize};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    pub fn secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    pub fn plus_ms(self, ms: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to here; negative when `earlier` is later.
    pub fn since_ms(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    fn date_time(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// `2026-11-22T09:39:00.123Z`, the form of AWS's XML protocols.
    pub fn iso8601(self) -> String {
        let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
        self.date_time().format(&form).unwrap_or_default()
    }

    /// `Sun, 22 Nov 2026 09:39:00 GMT`, the form of HTTP headers (RFC 9110, IMF-fixdate).
    pub fn http_date(self) -> String {
        let form = format_description!(
            "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
        );
        self.date_time().format(&form).unwrap_or_default()
    }

    pub fn parse_iso8601(text: &str) -> Option<Timestamp> {
        let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        Some(Timestamp((at.unix_timestamp_nanos() / 1_000_000) as i64))
    }

    pub fn parse_http_date(text: &str) -> Option<Timestamp> {
        let form = format_description!(
            "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
        );
        let at = time::PrimitiveDateTime::parse(text, &form).ok()?;
        Some(Timestamp(at.assume_utc().unix_timestamp() * 1000))
    }
}

impl crate::Wire for Timestamp {
    /// Seconds as a number; the wire layer converts them to each protocol's format.
    fn read(value: &serde_json::Value) -> Result<Timestamp, crate::wire::ReadError> {
        let secs = value.as_f64().ok_or_else(|| crate::wire::ReadError::kind("a timestamp", value))?;
        Ok(Timestamp((secs * 1000.0).round() as i64))
    }
    fn write(&self) -> serde_json::Value {
        serde_json::Value::from(self.0 as f64 / 1000.0)
    }
}

/// The source of the time: the machine, or a test.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    Machine,
    Hand(Arc<AtomicI64>),
    Function(Arc<dyn Fn() -> Timestamp + Send + Sync>),
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Source::Machine => "machine",
            Source::Hand(_) => "hand",
            Source::Function(_) => "function",
        })
    }
}

impl Clock {
    pub fn machine() -> Clock {
        Clock(Source::Machine)
    }

    /// A clock that only [`Clock::advance_ms`] moves.
    pub fn by_hand(start: Timestamp) -> Clock {
        Clock(Source::Hand(Arc::new(AtomicI64::new(start.0))))
    }

    /// A clock that calls `now`, for a simulation whose runtime keeps its own time.
    pub fn from_function(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Clock {
        Clock(Source::Function(Arc::new(now)))
    }

    #[allow(clippy::disallowed_methods)] // the one place that reads the machine's clock
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::Hand(at) => Timestamp(at.load(Ordering::SeqCst)),
            Source::Function(now) => now(),
            Source::Machine => {
                let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                Timestamp(since.map(|d| d.as_millis() as i64).unwrap_or(0))
            }
        }
    }

    /// Advances a clock made with [`Clock::by_hand`]; has no effect on any other.
    pub fn advance_ms(&self, ms: i64) {
        if let Source::Hand(at) = &self.0 {
            at.fetch_add(ms, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_and_parses_timestamps() {
        let at = Timestamp(1_795_340_340_123);
        assert_eq!(at.iso8601(), "2026-11-22T09:39:00.123Z");
        assert_eq!(at.http_date(), "Sun, 22 Nov 2026 09:39:00 GMT");
        assert_eq!(Timestamp::parse_iso8601("2026-11-22T09:39:00.123Z"), Some(at));
        assert_eq!(
            Timestamp::parse_http_date("Sun, 22 Nov 2026 09:39:00 GMT"),
            Some(Timestamp(at.secs() * 1000))
        );
    }

    #[test]
    fn clock_by_hand_moves_only_when_advanced() {
        let clock = Clock::by_hand(Timestamp(5));
        clock.clone().advance_ms(10);
        assert_eq!(clock.now(), Timestamp(15));
    }
}
