//! Supervises all servers: deaths by pidfd, silence by queries, and a task per database that probes its pair. Deaths and
//! silence are only reported: no decision depends on processes.

use crate::spec::Event;
use crate::{archive, observer, plane::Inner, process::Process};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::task::{AbortHandle, JoinSet};

type Server = (String, String);

/// Interval of the checks that only lead to reports.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Watch {
    pids: BTreeMap<Server, u32>,
    deaths: JoinSet<(Server, u32)>,
    /// The tasks of each database.
    databases: BTreeMap<String, [AbortHandle; 3]>,
    tasks: JoinSet<()>,
}

pub(crate) async fn run(inner: Arc<Inner>) {
    let mut watch = Watch::default();
    let mut beat = tokio::time::interval(LOOK);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = beat.tick() => watch.look(&inner).await,
            () = inner.looked.notified() => watch.look(&inner).await,
            Some(Ok(((database, node), pid))) = watch.deaths.join_next() => {
                watch.pids.retain(|_, p| *p != pid);
                inner.report(Event::NodeDied { database, node, pid }).await;
            }
            Some(_) = watch.tasks.join_next() => {}
        }
    }
}

impl Watch {
    async fn look(&mut self, inner: &Arc<Inner>) {
        let names = inner.names().unwrap_or_default();
        self.databases.retain(|name, tasks| {
            let exists = names.contains(name);
            if !exists {
                tasks.iter().for_each(AbortHandle::abort);
            }
            exists
        });
        for database in names {
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
            if !self.databases.contains_key(&database) {
                let observer = self.tasks.spawn(observer::run(Arc::clone(inner), database.clone()));
                let silence = self.tasks.spawn(report_silence(Arc::clone(inner), database.clone()));
                let archive = self.tasks.spawn(archive::watch(Arc::clone(inner), database.clone()));
                self.databases.insert(database, [observer, silence, archive]);
            }
        }
    }
}

/// Reports a server that exists and does not answer, once until it answers again.
async fn report_silence(inner: Arc<Inner>, database: String) {
    let mut silent = BTreeSet::new();
    let mut beat = tokio::time::interval(LOOK);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        let Ok(record) = inner.record(&database) else { continue };
        for node in record.nodes.iter().filter(|n| !record.rebuild.contains(&n.name)) {
            let process = Process::server_of(&inner.data(&database, &node.name));
            let answers = inner.ask(&database, &node.name, record.port).await.is_some();
            // The same process: a server that was started meanwhile had no time to answer.
            let is_silent = !answers && process.is_some_and(|p| p.lives());
            if !is_silent {
                silent.remove(&node.name);
            } else if silent.insert(node.name.clone()) {
                let (database, node) = (database.clone(), node.name.clone());
                inner.report(Event::NodeUnresponsive { database, node }).await;
            }
        }
    }
}
