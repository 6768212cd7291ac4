//! Records the state of the databases after each event of the plane. Also polls, since replication can stop although all
//! processes keep running.

use crate::{
    events,
    reconcile::{Executor, plane_name},
};
use escale_base::Timestamp;
use escale_postgres::{Event, Reason};
use escale_store::{Image, StoreError};
use escale_tables::rds::{Instance, InstanceSeen};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::{sync::mpsc, task::JoinSet};

const POLL_INTERVAL: Duration = Duration::from_secs(3);

/// Follows the plane until it ends. An observation waits for servers that do not answer, so it runs beside the events: a
/// failover is recorded at once.
pub(crate) async fn run(executor: Arc<Executor>, mut plane_events: mpsc::Receiver<Event>) {
    let mut poll = tokio::time::interval(POLL_INTERVAL);
    poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut wanted = BTreeSet::new();
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            // A fixed order makes simulations reproducible.
            biased;
            event = plane_events.recv() => match event {
                Some(event) => wanted.extend(record(&executor, &event)),
                None => return,
            },
            Some(_) = running.join_next() => {}
            _ = poll.tick() => {
                let image = executor.store.read();
                let created = image.scan::<InstanceSeen>().filter(|s| s.enacted.is_some());
                wanted.extend(created.map(|s| s.id.clone()));
            }
        }
        if running.is_empty()
            && let Some(id) = wanted.pop_first()
        {
            let executor = Arc::clone(&executor);
            running.spawn(async move { observe(&executor, &id).await });
        }
    }
}

/// Records what an event says. Returns the instance to observe.
fn record(executor: &Executor, event: &Event) -> Option<String> {
    let database = match event {
        Event::NodeStarted { database, .. }
        | Event::NodeDied { database, .. }
        | Event::NodeUnresponsive { database, .. }
        | Event::Degraded { database, .. }
        | Event::Protected { database, .. }
        | Event::ArchiveFails { database, .. }
        | Event::ArchiveGivenUp { database, .. }
        | Event::ArchiveWorks { database }
        | Event::FailedOver { database, .. } => database,
    };
    let instance = of_database(&executor.store.read(), database)?;
    let is_created =
        executor.store.read().get::<InstanceSeen>(&instance.id).is_some_and(|s| s.enacted.is_some());
    let now = executor.cloud.clock.now();
    let written = executor.store.write(|tx| {
        for (at, category, message) in messages(&instance, is_created, event, now) {
            events::instance(tx, &executor.cloud.config, at, &instance.id, category, &message);
        }
        if let Event::FailedOver { to, epoch, .. } = event {
            // The plane has seen the new primary accept writes. The observation below asks all servers and takes longer.
            executor.point_to(tx, &instance, to, *epoch);
        }
        Ok::<(), StoreError>(())
    });
    if let Err(error) = written {
        tracing::error!(%error, id = instance.id, "an event could not be recorded");
    }
    Some(instance.id.clone())
}

async fn observe(executor: &Executor, id: &str) {
    // After a failure, the last observation stays until the next poll.
    if let Err(error) = executor.observe(id, |_, _, _| {}).await {
        tracing::warn!(%error, id, "the state of a database could not be observed");
    }
}

fn of_database(image: &Image, database: &str) -> Option<Arc<Instance>> {
    image.scan::<Instance>().find(|i| plane_name(i) == database)
}

/// RDS events for a plane's event: time, category and message. Those of a failover are AWS's.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.Messages.html>
fn messages(
    instance: &Instance,
    is_created: bool,
    event: &Event,
    now: Timestamp,
) -> Vec<(Timestamp, &'static str, String)> {
    let zone = |node: &str| {
        let found = instance.nodes.iter().find(|n| n.name == node);
        found.map_or_else(|| node.to_owned(), |n| n.zone.clone())
    };
    let one = |category, message: String| vec![(now, category, message)];
    match event {
        Event::FailedOver { from, reason, started, finished, resumed, .. } => {
            let failover = |at: Timestamp, message: &str| (at, "failover", message.to_owned());
            let why = reason_of(*reason)
                .map(|why| (*started, "availability", format!("{why} It was in {}.", zone(from))));
            let resumed = resumed.then(|| failover(now, "Recovered from partial failover."));
            let story = [
                failover(*started, "Multi-AZ instance failover started."),
                failover(
                    *finished,
                    "Multi-AZ failover to standby complete - DNS propagation may take a few minutes.",
                ),
                failover(now, "Multi-AZ instance failover completed."),
            ];
            why.into_iter().chain(story).chain(resumed).collect()
        }
        Event::Degraded { standby, .. } => one(
            "availability",
            format!("The standby in {} failed; commits no longer wait for it", zone(standby)),
        ),
        Event::Protected { standby, .. } => {
            one("availability", format!("The standby in {} has every commit", zone(standby)))
        }
        Event::ArchiveFails { waiting_bytes, .. } => one(
            "failure",
            format!(
                "The transaction logs of the DB instance cannot be archived. It keeps them ({} MiB) until they are, and \
                 cannot be restored to a later time.",
                waiting_bytes >> 20
            ),
        ),
        Event::ArchiveGivenUp { waiting_bytes, .. } => one(
            "failure",
            format!(
                "The storage is 90 percent full, {} MiB of it transaction logs that cannot be archived. They are not archived any more                  until the next snapshot, and the DB instance cannot be restored to a time before it.",
                waiting_bytes >> 20
            ),
        ),
        Event::ArchiveWorks { .. } => {
            one("recovery", "The transaction logs of the DB instance are archived again.".into())
        }
        // During creation, servers start and stop several times.
        _ if !is_created => vec![],
        Event::NodeDied { node, .. } if instance.running && instance.deletion.is_none() => {
            one("availability", format!("The server in {} has stopped", zone(node)))
        }
        Event::NodeUnresponsive { node, .. } => {
            one("availability", format!("The server in {} does not answer", zone(node)))
        }
        Event::NodeDied { .. } | Event::NodeStarted { .. } => vec![],
    }
}

/// AWS's words for the reason of a failover.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.MultiAZ.Failover.html>
fn reason_of(reason: Reason) -> Option<&'static str> {
    match reason {
        Reason::Requested => None,
        Reason::Unhealthy => Some("The primary host of the RDS Multi-AZ instance is unhealthy."),
        Reason::Unreachable => Some(
            "The primary host of the RDS Multi-AZ instance is unreachable due to loss of network connectivity.",
        ),
        Reason::Unresponsive => Some("The RDS Multi-AZ primary instance is busy and unresponsive."),
    }
}
