//! Exports the log of an instance's primary to CloudWatch Logs: the group `/aws/rds/instance/NAME/postgresql`, the stream
//! `NAME.0`.
//!
//! The lines are written first, then the cursor: after a crash in between, the last lines appear twice.
//!
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_LogAccess.Concepts.PostgreSQL.html>

use crate::{
    provision,
    reconcile::{Executor, plane_name},
};
use escale_base::{AwsError, ErrorKind, Timestamp};
use escale_engine::StepError;
use escale_postgres::LogPlace;
use escale_requests::logs::{CreateLogGroup, CreateLogStream, LogEvent, PutLogEvents};
use escale_service::{Caller, Request, request};
use escale_store::StoreError;
use escale_tables::rds::{Instance, InstanceSeen, LogExport, RdsLogCursor};
use std::{sync::Arc, time::Duration};

const LOOK: Duration = Duration::from_secs(2);
/// Bytes per read. A batch of PutLogEvents can have 1 MiB, and each event counts 26 bytes more than its text.
const READ_BYTES: usize = 256 * 1024;
/// A batch has at most this many events: <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html>
const MOST_EVENTS: usize = 10_000;

/// Follows the logs of all instances. Never returns.
pub(crate) async fn run(executor: Arc<Executor>) {
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let exported: Vec<Arc<Instance>> = {
            let image = executor.store.read();
            let is_exported = |i: &Instance| i.recorded.log_exports.contains(&LogExport::Postgresql);
            image.scan::<Instance>().filter(|i| is_exported(i) && i.deletion.is_none()).collect()
        };
        for instance in exported {
            // The lines stay in the server's files until the next attempt.
            if let Err(error) = export(&executor, &instance).await {
                tracing::warn!(?error, id = instance.id, "the log of a database could not be exported");
            }
        }
    }
}

async fn export(executor: &Executor, instance: &Instance) -> Result<(), StepError> {
    let Some(seen) = executor.store.read().get::<InstanceSeen>(&instance.id) else { return Ok(()) };
    let Some(node) = instance.nodes.iter().find(|n| n.name == seen.primary && seen.enacted.is_some()) else {
        return Ok(());
    };
    let key = format!("{}/{}", instance.resource_id, node.name);
    loop {
        let cursor = executor.store.read().get::<RdsLogCursor>(&key);
        let after = cursor.as_ref().map(|c| LogPlace { file: c.file.clone(), offset: c.offset });
        let chunk =
            executor.plane()?.log(&plane_name(instance), &node.name, after.clone(), READ_BYTES).await?;
        let mut latest = Timestamp(0);
        let events: Vec<LogEvent> = chunk
            .lines
            .into_iter()
            .map(|line| {
                // Lines without a time have that of the line before. PutLogEvents requires ascending times.
                latest = line.at.unwrap_or(latest).max(latest);
                LogEvent { timestamp: latest.0, message: line.text }
            })
            .collect();
        let first = events.iter().map(|e| e.timestamp).find(|at| *at > 0);
        let first = first.unwrap_or_else(|| executor.cloud.clock.now().0);
        let is_end = events.is_empty();
        for batch in events.chunks(MOST_EVENTS) {
            let batch = batch.iter().cloned().map(|e| LogEvent { timestamp: e.timestamp.max(first), ..e });
            put(executor, &instance.id, batch.collect()).await?;
        }
        if after.as_ref() != Some(&chunk.next) {
            executor.store.write(|tx| {
                if tx.has::<Instance>(&instance.id) {
                    let (resource_id, node) = (instance.resource_id.clone(), node.name.clone());
                    tx.put(RdsLogCursor {
                        resource_id,
                        node,
                        file: chunk.next.file,
                        offset: chunk.next.offset,
                    });
                }
                Ok::<(), StoreError>(())
            })?;
        }
        if is_end {
            return Ok(());
        }
    }
}

/// Writes events; makes the group and the stream when they are missing, as RDS does.
async fn put(executor: &Executor, id: &str, log_events: Vec<LogEvent>) -> Result<(), AwsError> {
    let log_group_name = format!("/aws/rds/instance/{id}/postgresql");
    let log_stream_name = format!("{id}.0");
    let put = PutLogEvents {
        log_group_name: log_group_name.clone(),
        log_stream_name: log_stream_name.clone(),
        log_events,
    };
    match call(executor, put.clone()).await {
        Err(e) if e.kind == ErrorKind::NotFound => {}
        done => return done,
    }
    let existing_is_fine = |made: Result<(), AwsError>| match made {
        Err(e) if e.kind == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    };
    existing_is_fine(call(executor, CreateLogGroup { log_group_name: log_group_name.clone() }).await)?;
    existing_is_fine(call(executor, CreateLogStream { log_group_name, log_stream_name }).await)?;
    call(executor, put).await
}

async fn call<R: Request>(executor: &Executor, asked: R) -> Result<R::Answer, AwsError> {
    request(&executor.cloud, &executor.store, &Caller::service(provision::PRINCIPAL), asked).await
}
