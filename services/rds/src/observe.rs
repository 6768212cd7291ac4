//! Records the state of the databases after each event of the plane. Also polls, since replication can stop although all
//! processes keep running.

use crate::{
    events,
    reconcile::{Executor, plane_name},
};
use escale_postgres::Event;
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
    let now = executor.clock.now();
    let written = executor.store.write(|tx| {
        for (category, message) in messages(&instance, is_created, event) {
            events::instance(tx, &executor.cloud.config, now, &instance.id, category, &message);
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

/// RDS events for a plane's event, as category and message.
fn messages(instance: &Instance, is_created: bool, event: &Event) -> Vec<(&'static str, String)> {
    let zone = |node: &str| {
        let found = instance.nodes.iter().find(|n| n.name == node);
        found.map_or_else(|| node.to_owned(), |n| n.zone.clone())
    };
    match event {
        Event::FailedOver { from, to, .. } => vec![
            ("failover", "Multi-AZ instance failover started.".to_owned()),
            (
                "failover",
                format!("Multi-AZ instance failover completed: from {} to {}", zone(from), zone(to)),
            ),
        ],
        Event::Degraded { standby, .. } => {
            let what = format!("The standby in {} failed; commits no longer wait for it", zone(standby));
            vec![("availability", what)]
        }
        Event::Protected { standby, .. } => {
            vec![("availability", format!("The standby in {} has every commit", zone(standby)))]
        }
        // During creation, servers start and stop several times.
        _ if !is_created => vec![],
        Event::NodeDied { node, .. } if instance.running && instance.deletion.is_none() => {
            vec![("availability", format!("The server in {} has stopped", zone(node)))]
        }
        Event::NodeUnresponsive { node, .. } => {
            vec![("availability", format!("The server in {} does not answer", zone(node)))]
        }
        Event::NodeDied { .. } | Event::NodeStarted { .. } => vec![],
    }
}
