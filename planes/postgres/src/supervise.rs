//! Supervises all servers: deaths by pidfd, silence by queries. It reports, and takes one decision: when
//! a standby is gone for longer than the grace period, commits stop waiting for it.

use crate::{plane::Inner, process::Process, record::Record, spec::*};
use std::{collections::BTreeMap, sync::Arc, time::Instant};
use tokio::task::JoinSet;

type Server = (String, String);

#[derive(Default)]
struct Watch {
    pids: BTreeMap<Server, u32>,
    silent: BTreeMap<Server, bool>,
    /// The time since which a protected database's standby is not streaming.
    missing: BTreeMap<String, Instant>,
    deaths: JoinSet<(Server, u32)>,
}

pub(crate) async fn run(inner: Arc<Inner>) {
    let mut watch = Watch::default();
    let mut beat = tokio::time::interval(inner.config.heartbeat);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = beat.tick() => watch.look(&inner, true).await,
            () = inner.looked.notified() => watch.look(&inner, false).await,
            Some(Ok(((database, node), pid))) = watch.deaths.join_next() => {
                watch.pids.retain(|_, p| *p != pid);
                inner.report(Event::NodeDied { database, node, pid }).await;
            }
        }
    }
}

impl Watch {
    async fn look(&mut self, inner: &Inner, ask: bool) {
        for database in inner.names().unwrap_or_default() {
            let Ok(record) = inner.record(&database) else { continue };
            for node in &record.nodes {
                let server = (database.clone(), node.name.clone());
                let Some(process) = Process::server_of(&inner.data(&database, &node.name)) else { continue };
                let pid = process.pid;
                // A new pid: one report and one watcher for each process, however often this runs.
                if self.pids.insert(server.clone(), pid) != Some(pid) {
                    let (database, node) = server.clone();
                    inner.report(Event::NodeStarted { database, node, pid }).await;
                    self.deaths.spawn(async move {
                        if let Err(e) = process.gone().await {
                            tracing::error!("{e}");
                        }
                        (server, pid)
                    });
                }
            }
            if ask {
                self.ask(inner, &database, &record).await;
            }
        }
    }

    async fn ask(&mut self, inner: &Inner, database: &str, record: &Record) {
        let mut primary = None;
        for node in &record.nodes {
            let server = (database.to_owned(), node.name.clone());
            let running = self.pids.contains_key(&server);
            let answer = inner.ask(database, &node.name, record.port).await;
            let silent = running && answer.is_none();
            if silent && self.silent.insert(server.clone(), true) != Some(true) {
                let (database, node) = server.clone();
                inner.report(Event::NodeUnresponsive { database, node }).await;
            }
            if !silent {
                self.silent.remove(&server);
            }
            if node.name == record.primary {
                primary = answer;
            }
        }
        let (Some(primary), Some(standby)) = (primary, record.standby()) else { return };
        if record.protection == Protection::Alone || primary.streams(&standby.name) {
            self.missing.remove(database);
            return;
        }
        let since = *self.missing.entry(database.to_owned()).or_insert_with(Instant::now);
        if since.elapsed() >= inner.config.standby_grace {
            self.degrade(inner, database).await;
        }
    }

    async fn degrade(&mut self, inner: &Inner, database: &str) {
        // A call that holds the lock may be working on this very standby: check again at the next heartbeat.
        let Some(_one) = inner.try_lock(database) else { return };
        let Ok(mut record) = inner.record(database) else { return };
        let Some(standby) = record.standby().map(|n| n.name.clone()) else { return };
        // Checked again under the lock: a failover may have happened in between.
        let primary = inner.ask(database, &record.primary, record.port).await;
        if record.protection == Protection::Alone || primary.is_none_or(|p| p.streams(&standby)) {
            return;
        }
        match inner.disarm(database, &mut record).await {
            Ok(()) => {
                self.missing.remove(database);
                inner.report(Event::Degraded { database: database.to_owned(), standby }).await;
            }
            Err(e) => tracing::error!(database, "commits still wait for the lost standby: {e}"),
        }
    }
}
