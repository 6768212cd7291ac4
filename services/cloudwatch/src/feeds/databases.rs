//! What databases use: of the machine, of its disk and of their own limits. The values are those of the primary.
//!
//! The operations of the disk have no metric here: the kernel counts its bytes for each process, and the operations only for a
//! control group, which servers do not have.
//!
//! Source: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html>

use super::{
    batch::{Batch, Name},
    counters::Counters,
};
use crate::choices::StandardUnit;
use escale_metrics::Summary;
use escale_postgres::{Postgres, Usage};
use escale_store::Store;
use escale_tables::rds::{Instance, InstanceSeen};

pub(super) async fn read(store: &Store, postgres: &dyn Postgres, counters: &mut Counters, batch: &mut Batch) {
    let instances: Vec<_> = store.read().scan::<Instance>().filter(|i| i.running).collect();
    for instance in instances {
        // Without an answer there are no values. The size of transaction logs is known from the last observation.
        let usage = postgres.usage(&instance.database()).await.unwrap_or_else(|error| {
            tracing::debug!(%error, id = instance.id, "the usage of a database cannot be measured");
            None
        });
        let wal_bytes = store.read().get::<InstanceSeen>(&instance.id).and_then(|seen| seen.wal_bytes);
        let id = instance.id.as_str();
        let mut values =
            usage.map(|usage| measured(id, &usage, counters, batch.pass.now)).unwrap_or_default();
        values.extend(wal_bytes.map(|bytes| ("TransactionLogsDiskUsage", StandardUnit::Bytes, bytes as f64)));
        for (name, unit, value) in values {
            let labels: [&[(&str, &str)]; 1] = [&[("DBInstanceIdentifier", id)]];
            batch.minute(Name { space: "AWS/RDS", name, unit }, &labels, &Summary::of(value));
        }
    }
}

fn measured(
    id: &str,
    usage: &Usage,
    counters: &mut Counters,
    now: i64,
) -> Vec<(&'static str, StandardUnit, f64)> {
    let mut values = vec![
        ("DatabaseConnections", StandardUnit::Count, usage.connections as f64),
        ("MaximumUsedTransactionIDs", StandardUnit::Count, usage.oldest_transaction_age as f64),
        ("FreeStorageSpace", StandardUnit::Bytes, usage.free_disk_bytes as f64),
        ("FreeableMemory", StandardUnit::Bytes, usage.free_memory_bytes as f64),
    ];
    // A server that was started again, or another one after a failover, counts anew.
    let mut rate = |what: &str, value| {
        let key = format!("database/{id}/{}/{what}", usage.pid);
        counters.rate(key, value, now).map(|(since, secs)| since as f64 / secs as f64)
    };
    let cpu_us = u64::try_from(usage.cpu.as_micros()).unwrap_or(u64::MAX);
    let percent = |us: f64| us / 1e6 / f64::from(usage.processors) * 100.0;
    let mut report = |name, unit, value: Option<f64>| values.extend(value.map(|value| (name, unit, value)));
    report("CPUUtilization", StandardUnit::Percent, rate("cpu", cpu_us).map(percent));
    let per_second = StandardUnit::BytesPerSecond;
    report("ReadThroughput", per_second, rate("read", usage.read_bytes));
    report("WriteThroughput", per_second, rate("written", usage.written_bytes));
    match usage.lag_ms {
        // A replica generates none.
        Some(lag_ms) => report("ReplicaLag", StandardUnit::Seconds, Some(lag_ms as f64 / 1000.0)),
        None => report("TransactionLogsGeneration", per_second, rate("wal", usage.wal_position)),
    }
    if let Some((received, sent)) = usage.network {
        report("NetworkReceiveThroughput", per_second, rate("received", received));
        report("NetworkTransmitThroughput", per_second, rate("sent", sent));
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_base::Timestamp;
    use std::{collections::BTreeMap, time::Duration};

    #[test]
    fn counted_values_are_rates_of_one_server() {
        let mut counters = Counters::new(Timestamp(0));
        let usage = Usage {
            pid: 7,
            connections: 3,
            oldest_transaction_age: 100,
            wal_position: 1000,
            cpu: Duration::from_secs(5),
            processors: 2,
            read_bytes: 0,
            written_bytes: 0,
            network: None,
            free_disk_bytes: 10,
            free_memory_bytes: 20,
            lag_ms: None,
        };
        let mut at = |usage: &Usage, now| {
            let values = measured("shop", usage, &mut counters, now).into_iter();
            values.map(|(name, _, value)| (name, value)).collect::<BTreeMap<_, _>>()
        };
        let first = at(&usage, 0);
        assert_eq!(
            (first["DatabaseConnections"], first["FreeStorageSpace"], first["FreeableMemory"]),
            (3.0, 10.0, 20.0)
        );
        assert!(!first.contains_key("CPUUtilization"), "nothing to compare with yet");
        let busy = Usage { cpu: Duration::from_secs(65), written_bytes: 6000, wal_position: 7000, ..usage };
        let second = at(&busy, 60);
        assert_eq!((second["CPUUtilization"], second["WriteThroughput"]), (50.0, 100.0));
        assert_eq!((second["ReadThroughput"], second["TransactionLogsGeneration"]), (0.0, 100.0));
        assert!(!second.contains_key("NetworkReceiveThroughput"), "not measured");
        let copy = at(&Usage { lag_ms: Some(1500), ..busy.clone() }, 61);
        assert_eq!(copy["ReplicaLag"], 1.5);
        let restarted = at(&Usage { pid: 8, ..busy }, 120);
        assert!(!restarted.contains_key("CPUUtilization"), "another server");
    }
}
