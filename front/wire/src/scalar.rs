//! Scalars as text: in query forms, XML, headers, labels. In a value tree a timestamp is a number of seconds.

use escale_base::Timestamp;
use escale_model::{Kind, Location, Shape, TimeFormat};
use serde_json::Value;
use time::format_description::well_known::{Rfc2822, Rfc3339};
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

/// `None` if the text is not such a scalar.
pub(crate) fn from_text(shape: &Shape, text: &str) -> Option<Value> {
    let trimmed = text.trim();
    Some(match &shape.kind {
        Kind::Boolean => match trimmed {
            "true" | "True" | "TRUE" | "1" => true.into(),
            "false" | "False" | "FALSE" | "0" => false.into(),
            _ => return None,
        },
        Kind::Integer { long } => integer(trimmed.parse().ok()?, *long)?,
        Kind::Float => match trimmed {
            "NaN" | "Infinity" | "-Infinity" => trimmed.into(),
            number => Value::Number(serde_json::Number::from_f64(number.parse().ok()?)?),
        },
        Kind::Timestamp(_) => parse_time(trimmed)?.into(),
        _ => text.into(),
    })
}

/// An integer that fits the shape's 32 or 64 bits.
pub(crate) fn integer(n: i64, long: bool) -> Option<Value> {
    (long || i32::try_from(n).is_ok()).then(|| n.into())
}

/// Parses seconds, RFC 3339 (UTC if there is no zone) or an HTTP date.
pub(crate) fn parse_time(text: &str) -> Option<f64> {
    if let Ok(secs) = text.parse::<f64>() {
        return secs.is_finite().then_some(secs);
    }
    let parsed = OffsetDateTime::parse(text, &Rfc3339)
        .or_else(|_| OffsetDateTime::parse(&text.replace("GMT", "+0000"), &Rfc2822))
        .or_else(|_| {
            let bare = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
            PrimitiveDateTime::parse(text, &bare).map(PrimitiveDateTime::assume_utc)
        });
    Some(parsed.ok()?.unix_timestamp_nanos() as f64 / 1e9)
}

pub(crate) fn to_text(shape: &Shape, value: &Value, location: Location) -> String {
    match (&shape.kind, value) {
        (Kind::Timestamp(format), Value::Number(secs)) => {
            let secs = secs.as_f64().unwrap_or(0.0);
            let at = Timestamp((secs * 1000.0).round() as i64);
            match (format, location) {
                (Some(TimeFormat::UnixTimestamp), _) => at.secs().to_string(),
                (Some(TimeFormat::Rfc822), _) | (None, Location::Header) => at.http_date(),
                _ => at.iso8601(),
            }
        }
        (_, Value::String(text)) => text.clone(),
        (_, other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_times_in_every_format() {
        for text in [
            "2026-11-22T09:39:00Z",
            "2026-11-22T10:39:00+01:00",
            "2026-11-22T09:39:00",
            "Sun, 22 Nov 2026 09:39:00 GMT",
            "1795340340",
        ] {
            assert_eq!(parse_time(text), Some(1_795_340_340.0), "{text}");
        }
        assert_eq!(parse_time("soon"), None);
        assert_eq!(parse_time("NaN"), None);
    }
}
