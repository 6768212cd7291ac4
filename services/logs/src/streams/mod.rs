//! The operations that need the plane.

escale_service::streams! { crate::Logs;
    DescribeLogGroups => describe_log_groups,
    DescribeLogStreams => describe_log_streams,
    FilterLogEvents => filter_log_events,
    GetLogEvents => get_log_events,
    PutLogEvents => put_log_events,
}

use crate::Error;
use escale_base::Timestamp;
use escale_logstore::Position;

/// The most events in one answer.
const PAGE_MOST: i32 = 10_000;

fn page_size(limit: Option<i32>) -> Result<usize, Error> {
    match limit.unwrap_or(PAGE_MOST) {
        n @ 1..=PAGE_MOST => Ok(n as usize),
        n => Err(Error::Invalid(format!("limit {n} is not between 1 and {PAGE_MOST}"))),
    }
}

/// `startTime` or `endTime` as a timestamp.
fn moment(ms: Option<i64>) -> Option<Timestamp> {
    ms.map(Timestamp)
}

/// A position as a token: time, number, stream.
fn token_of(position: &Position) -> String {
    format!("{}/{}/{}", position.at.0, position.number, position.stream)
}

fn position_of(token: &str) -> Result<Position, Error> {
    let mut parts = token.splitn(3, '/');
    let mut next = || parts.next();
    let read = (next(), next(), next());
    if let (Some(at), Some(number), Some(stream)) = read
        && let (Ok(at), Ok(number)) = (at.parse(), number.parse())
    {
        return Ok(Position { at: Timestamp(at), number, stream: stream.to_owned() });
    }
    Err(Error::Invalid("The specified nextToken is invalid.".into()))
}
