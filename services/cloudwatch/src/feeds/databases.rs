//! The size of databases' transaction logs: it grows while they cannot be archived.
//!
//! Source: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html>

use super::batch::{Batch, Name};
use crate::choices::StandardUnit;
use escale_metrics::Summary;
use escale_store::Store;
use escale_tables::rds::InstanceSeen;

pub(super) fn read(store: &Store, batch: &mut Batch) {
    let name = Name { space: "AWS/RDS", name: "TransactionLogsDiskUsage", unit: StandardUnit::Bytes };
    for seen in store.read().scan::<InstanceSeen>() {
        let Some(bytes) = seen.wal_bytes else { continue };
        let labels: [&[(&str, &str)]; 1] = [&[("DBInstanceIdentifier", &seen.id)]];
        batch.minute(name, &labels, &Summary::of(bytes as f64));
    }
}
