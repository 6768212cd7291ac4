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
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;

const POLL_INTERVAL: Duration = Duration::from_secs(3);

/// Follows the plane until it ends.
pub(crate) async fn run(executor: Arc<Executor>, mut plane_events: mpsc::Receiver<Event>) {
    let mut poll = tokio::time::interval(POLL_INTERVAL);
    poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            // A fixed order makes simulations reproducible.
            biased;
            event = plane_events.recv() => match event {
            Some(event) => record(&executor, &event).await,
                None => return,
            },
            _ = poll.tick() => {
            let created: Vec<String> = {
                    let image = executor.store.read();
                    image.scan::<InstanceSeen>().filter(|s| s.enacted.is_some()).map(|s| s.id.clone()).collect()
                };
                for id in created {
                observe(&executor, &id).await;
                }
            }
        }
    }
}

async fn record(executor: &Executor, event: &Event) {
    let database = match event {
        Event::NodeStarted { database, .. }
        | Event::NodeDied { database, .. }
        | Event::NodeUnresponsive { database, .. }
        | Event::Degraded { database, .. }
        | Event::Protected { database, .. }
        | Event::FailedOver { database, .. } => database,
    };
    let Some(instance) = of_database(&executor.store.read(), database) else { return };
    let is_created =
        executor.store.read().get::<InstanceSeen>(&instance.id).is_some_and(|s| s.enacted.is_some());
    let now = executor.cloud.clock.now();
    let written = executor.store.write(|tx| {
        for (at, category, message) in messages(&instance, is_created, event, now) {
            events::instance(tx, &executor.cloud.config, at, &instance.id, category, &message);
        }
        if let Event::FailedOver { to, .. } = event {
            // The plane has seen the new primary accept writes. The observation below asks all servers and takes longer.
            executor.point_to(tx, &instance, to);
        }
        Ok::<(), StoreError>(())
    });
    if let Err(error) = written {
        tracing::error!(%error, id = instance.id, "an event could not be recorded");
    }
    observe(executor, &instance.id).await;
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
