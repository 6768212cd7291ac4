//! Records events for DescribeEvents.

use escale_base::{Arn, Timestamp, ids};
use escale_service::Config;
use escale_store::Tx;
use escale_tables::rds::{Event, SourceType};

/// AWS keeps events for 14 days.
const KEPT_MS: i64 = 14 * 24 * 60 * 60 * 1000;

/// Adds an event of an instance, and deletes events that are too old.
pub(crate) fn instance(
    tx: &mut Tx,
    config: &Config,
    now: Timestamp,
    id: &str,
    category: &str,
    message: &str,
) {
    record(tx, config, now, (SourceType::DbInstance, "db", id), category, message);
}

pub(crate) fn snapshot(
    tx: &mut Tx,
    config: &Config,
    now: Timestamp,
    id: &str,
    category: &str,
    message: &str,
) {
    record(tx, config, now, (SourceType::DbSnapshot, "snapshot", id), category, message);
}

fn record(
    tx: &mut Tx,
    config: &Config,
    now: Timestamp,
    (source_type, arn_type, id): (SourceType, &str, &str),
    category: &str,
    message: &str,
) {
    // Keys sort by time, so the scan can end at the first event that is kept.
    let old: Vec<String> = tx
        .scan::<Event>()
        .take_while(|e| now.since_ms(e.at) > KEPT_MS)
        .map(|e| escale_store::Row::key(&*e))
        .collect();
    for key in old {
        tx.delete::<Event>(&key);
    }
    let arn = Arn::new("rds", &config.region, &config.account, format!("{arn_type}:{id}"));
    // The counter keeps events of one millisecond in the order in which they were recorded.
    let before = tx.prefix::<Event>(&format!("{:016}/", now.0)).count();
    tx.put(Event {
        nonce: format!("{before:04}{}", ids::random_hex(6)),
        source_type,
        source: id.into(),
        source_arn: arn.to_string(),
        message: message.into(),
        categories: vec![category.into()],
        at: now,
    });
}
