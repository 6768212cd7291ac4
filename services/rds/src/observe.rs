//! Follows the databases: writes what is seen whenever the plane tells of something, and now and then unasked, since
//! replication can end without any process ending.

use crate::{
    events,
    reconcile::{Hands, plane_name},
};
use escale_postgres::Event;
use escale_store::{Image, StoreError};
use escale_tables::rds::{Instance, InstanceSeen};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;

const UNASKED: Duration = Duration::from_secs(3);

pub(crate) async fn run(hands: Arc<Hands>, mut told: mpsc::Receiver<Event>) {
    let mut unasked = tokio::time::interval(UNASKED);
    unasked.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            // In a fixed order, so that a simulation repeats itself.
            biased;
            event = told.recv() => match event {
                Some(event) => hear(&hands, &event).await,
                None => return,
            },
            _ = unasked.tick() => {
                let made: Vec<String> = {
                    let image = hands.store.read();
                    image.scan::<InstanceSeen>().filter(|s| s.enacted.is_some()).map(|s| s.id.clone()).collect()
                };
                for id in made {
                    look(&hands, &id).await;
                }
            }
        }
    }
}

async fn hear(hands: &Hands, event: &Event) {
    let database = match event {
        Event::NodeStarted { database, .. }
        | Event::NodeDied { database, .. }
        | Event::NodeUnresponsive { database, .. }
        | Event::Degraded { database, .. }
        | Event::Protected { database, .. }
        | Event::FailedOver { database, .. } => database,
    };
    let Some(instance) = of_database(&hands.store.read(), database) else { return };
    let made = hands.store.read().get::<InstanceSeen>(&instance.id).is_some_and(|s| s.enacted.is_some());
    let now = hands.clock.now();
    let written = hands.store.write(|tx| {
        for (category, message) in words(&instance, made, event) {
            events::instance(tx, &hands.cloud.config, now, &instance.id, category, &message);
        }
        Ok::<(), StoreError>(())
    });
    if let Err(error) = written {
        tracing::error!(%error, id = instance.id, "an event could not be recorded");
    }
    look(hands, &instance.id).await;
}

async fn look(hands: &Hands, id: &str) {
    // A failed look changes nothing: what was seen last stands until the next one.
    if let Err(error) = hands.look(id, |_, _, _| {}).await {
        tracing::warn!(%error, id, "a database could not be looked at");
    }
}

fn of_database(image: &Image, database: &str) -> Option<Arc<Instance>> {
    image.scan::<Instance>().find(|i| plane_name(i) == database)
}

/// AWS's words for what users care about; the rest is for the log.
fn words(instance: &Instance, made: bool, event: &Event) -> Vec<(&'static str, String)> {
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
            let what = format!("The standby in {} is gone; commits no longer wait for it", zone(standby));
            vec![("availability", what)]
        }
        Event::Protected { standby, .. } => {
            vec![("availability", format!("The standby in {} holds every commit", zone(standby)))]
        }
        // While it is being made its servers come and go.
        _ if !made => vec![],
        Event::NodeDied { node, .. } if instance.running && instance.deletion.is_none() => {
            vec![("availability", format!("The server in {} has ended", zone(node)))]
        }
        Event::NodeUnresponsive { node, .. } => {
            vec![("availability", format!("The server in {} does not answer", zone(node)))]
        }
        Event::NodeDied { .. } | Event::NodeStarted { .. } => vec![],
    }
}
