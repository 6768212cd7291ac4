//! Watches one pair: probes both servers from two places, and acts on the verdict.
//!
//! The inputs are answers of servers alone. The decision is taken again under the database's lock, from its record: whatever
//! a stalled loop believed, only a pair whose record says so is failed over.

use crate::{
    heartbeat::{DiskControl, From, OBSERVERS, Prober, Target},
    plane::Inner,
    record::Record,
    session::Session,
    spec::*,
    verdict::{Beat, Heard, Judge, Silence, Verdict, View},
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{sync::watch, time::Instant};
use tokio_util::task::AbortOnDropHandle;

/// Everything that the probes depend on. Another one needs other connections.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pair {
    epoch: u64,
    port: u16,
    version: u32,
    primary: (String, SocketAddr),
    standby: (String, SocketAddr),
    places: [From; 2],
}

impl Pair {
    /// `None` while there is nothing to decide about.
    fn of(record: &Record) -> Option<Pair> {
        let standby = record.standby()?;
        let primary = record.node(&record.primary).ok()?;
        let ready = record.bootstrapped && record.is_watched() && record.running && !record.deleting;
        let address = |a: Option<std::net::IpAddr>| a.map(|a| SocketAddr::new(a, record.port));
        let (at, other) = (address(primary.address)?, address(standby.address)?);
        let witness = record.witness.as_ref();
        ready.then(|| Pair {
            epoch: record.epoch,
            port: record.port,
            version: record.version,
            primary: (primary.name.clone(), at),
            standby: (standby.name.clone(), other),
            places: [
                From { namespace: standby.namespace.clone(), address: None },
                From { namespace: witness.map(|w| w.namespace.clone()), address: witness.map(|w| w.address) },
            ],
        })
    }
}

/// Watches the database until it no longer exists.
pub(crate) async fn run(inner: Arc<Inner>, database: String) {
    let mut wait = tokio::time::interval(inner.config.heartbeat);
    wait.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        wait.tick().await;
        let Ok(record) = inner.record(&database) else { continue };
        if let Some(pair) = Pair::of(&record) {
            Watch::start(&inner, &database, pair, &record).run().await;
        }
    }
}

/// The probes of one observer.
struct Probers {
    /// Commits on the primary.
    commits: Prober,
    /// Asks the primary what needs no disk.
    reads: Prober,
    standby: Prober,
}

struct Watch<'a> {
    inner: &'a Inner,
    database: &'a str,
    pair: Pair,
    beats: watch::Sender<u64>,
    probers: [Probers; 2],
    judge: Judge,
    disk: DiskControl,
    /// A session on the standby, opened while the primary is suspected: a verdict then needs not wait for it.
    prepared: Option<AbortOnDropHandle<Option<Session>>>,
}

impl<'a> Watch<'a> {
    fn start(inner: &'a Inner, database: &'a str, pair: Pair, record: &Record) -> Watch<'a> {
        let (beats, receiver) = watch::channel(0);
        let probers = [0, 1].map(|i| {
            let prober = |address, commits| {
                let target = Target {
                    version: pair.version,
                    address,
                    password: record.replicator_password.clone(),
                    from: pair.places[i].clone(),
                    commits,
                };
                Prober::start(target, receiver.clone())
            };
            let commits = Some((OBSERVERS[i], pair.standby.0.clone()));
            Probers {
                commits: prober(pair.primary.1, commits),
                reads: prober(pair.primary.1, None),
                standby: prober(pair.standby.1, None),
            }
        });
        let (judge, disk) = (Judge::default(), DiskControl::default());
        Watch { inner, database, pair, beats, probers, judge, disk, prepared: None }
    }

    /// Until the pair is another one.
    async fn run(mut self) {
        let every = self.inner.config.heartbeat;
        let mut due = Instant::now() + every;
        self.beats.send_modify(|n| *n += 1);
        loop {
            tokio::time::sleep_until(due).await;
            let late = due.elapsed() > every / 2;
            due = Instant::now() + every;
            let answers = |prober: &Prober| !matches!(prober.take(), Heard::Silent(_));
            let views = self.probers.each_ref().map(|of| View {
                primary: of.commits.take(),
                reads: answers(&of.reads),
                standby: answers(&of.standby),
            });
            self.beats.send_modify(|n| *n += 1);
            let Ok(record) = self.inner.record(self.database) else { return };
            if Pair::of(&record).as_ref() != Some(&self.pair) {
                return;
            }
            if self.inner.is_planned(self.database) {
                self.judge = Judge::default();
                continue;
            }
            let disk_is_slow = self.disk.is_slow(&self.inner.config.state, self.judge.suspects()).await;
            let beat = Beat { views, late, disk_is_slow };
            let verdict = self.judge.hear(&beat, record.protection, self.grace());
            if self.judge.suspects() {
                tracing::debug!(database = self.database, ?beat, judge = ?self.judge, "a server is suspected");
            }
            self.prepare();
            self.act(verdict).await;
        }
    }

    fn prepare(&mut self) {
        if !self.judge.suspects_primary() {
            self.prepared = None;
        } else if self.prepared.is_none() {
            let sockets = self.inner.node_dir(self.database, &self.pair.standby.0).join("socket");
            let port = self.pair.port;
            let opened = async move { Session::open(&sockets, port, "postgres").await.ok() };
            self.prepared = Some(AbortOnDropHandle::new(tokio::spawn(opened)));
        }
    }

    /// The session, if it is open already.
    async fn take_prepared(&mut self) -> Option<Session> {
        let opening = self.prepared.take().filter(AbortOnDropHandle::is_finished)?;
        opening.await.ok().flatten()
    }

    fn grace(&self) -> u32 {
        let beats =
            self.inner.config.standby_grace.as_millis() / self.inner.config.heartbeat.as_millis().max(1);
        u32::try_from(beats).unwrap_or(u32::MAX).max(1)
    }

    async fn act(&mut self, verdict: Verdict) {
        let (inner, database, epoch) = (self.inner, self.database, self.pair.epoch);
        let done = match verdict {
            Verdict::Nothing => return,
            Verdict::PrimaryLost(silence) => {
                let reason = match silence {
                    Silence::Refused => Reason::Unhealthy,
                    Silence::Unreachable => Reason::Unreachable,
                    Silence::Stalled => Reason::Unresponsive,
                };
                let session = self.take_prepared().await;
                inner.replace_primary(database, epoch, reason, session).await
            }
            Verdict::StandbyLost => inner.give_up_standby(database, epoch).await,
        };
        if let Err(error) = done {
            tracing::error!(database, ?verdict, %error, "the verdict could not be carried out; it is tried again");
            // One attempt per second, not per beat.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        self.judge = Judge::default();
    }
}
