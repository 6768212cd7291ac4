//! Watches the archive of each database: up to when it can be restored, and whether its server fails to archive.
//!
//! What is restorable is decided from the archive's files alone, never from what a server says of its archiver: a commit is
//! restorable if all WAL up to its place follows without a gap on the newest snapshot.

use crate::{
    plane::Inner,
    session::Session,
    spec::*,
    wal::{Archived, HEADER, SEGMENT_BYTES, Segment, given_up_name},
};
use escale_base::{PlaneError, Timestamp, error::Context};
use std::{collections::VecDeque, path::PathBuf, sync::Arc, time::Duration};

const LOOK: Duration = Duration::from_secs(1);
/// Samples kept; a full list loses every second one, so that a stuck archive makes it coarser, not longer.
const SAMPLES: usize = 256;
/// Every so many looks the whole archive is read, for new snapshots and new timelines.
const WHOLE: u32 = 10;
/// A failing archive is given up when less than this part of the disk is free ...
const FREE_PERCENT: u64 = 10;
/// ... and the waiting WAL is as large as this. A disk that others have filled is not made any emptier.
const WAITS_BYTES: u64 = 1 << 30;
/// A commit gets its time a moment before its place in the WAL.
const MARGIN_MS: i64 = 1000;

/// The primary at one moment: every commit before `at` is before `place` in its WAL.
#[derive(Clone, Debug, PartialEq)]
struct Sample {
    at: Timestamp,
    transactions: String,
    place: u64,
}

impl Sample {
    /// No transaction runs: `xmin:xmax:` with the same numbers and no list.
    fn is_quiet(&self) -> bool {
        let mut parts = self.transactions.split(':');
        parts.next() == parts.next() && parts.next() == Some("")
    }
}

#[derive(Default)]
struct Watch {
    samples: VecDeque<Sample>,
    /// The primary that the samples are of.
    of: Option<(String, u64)>,
    session: Option<Session>,
    /// The last segment that was reached, and the snapshot that it was reached from.
    reached: Option<(String, Segment)>,
    looks: u32,
    /// The transactions for which a switch to the next file was asked already.
    switched: Option<String>,
    failing: bool,
}

/// What a server says of its archiver.
struct Archiver {
    fails: bool,
    since: Option<Timestamp>,
    waiting_bytes: u64,
}

pub(crate) async fn watch(inner: Arc<Inner>, database: String) {
    let mut watch = Watch::default();
    let mut beat = tokio::time::interval(LOOK);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        let Ok(record) = inner.record(&database) else { continue };
        let Some(timeout) = record.archive.filter(|_| record.bootstrapped && record.running) else {
            watch = Watch::default();
            if record.archive.is_none() {
                inner.note_archive(&database, None);
            }
            continue;
        };
        if let Err(error) = watch.look(&inner, &database, &record.primary, record.port, timeout).await {
            tracing::debug!(%error, database, "the archive could not be observed");
            watch.session = None;
        }
    }
}

impl Watch {
    async fn look(
        &mut self,
        inner: &Inner,
        database: &str,
        primary: &str,
        port: u16,
        archive: Archive,
    ) -> Result<(), PlaneError> {
        let epoch = inner.record(database)?.epoch;
        if self.of.as_ref() != Some(&(primary.to_owned(), epoch)) {
            // The places of another server's WAL may be on a timeline that was left.
            *self =
                Watch { of: Some((primary.to_owned(), epoch)), failing: self.failing, ..Watch::default() };
        }
        let session = match self.session.take() {
            Some(session) => session,
            None => inner.session(database, primary, port).await?,
        };
        let (sample, archiver) = ask(&session).await?;
        self.keep(sample);
        let given_up = self.give_up(inner, database, primary, &archiver).await?;
        let archiver = Archiver {
            fails: archiver.fails || given_up.is_some(),
            since: given_up.or(archiver.since),
            ..archiver
        };
        self.report(inner, database, &archiver).await;
        let reached = self.reach(inner, database).await?;
        let latest = reached.and_then(|segment| restorable(&self.samples, segment.end()));
        self.switch_if_quiet(&session, reached, archive).await?;
        self.session = Some(session);
        let failing_since = archiver.since.filter(|_| archiver.fails);
        inner.note_archive(
            database,
            Some(ArchiveSeen { latest, failing_since, waiting_bytes: archiver.waiting_bytes }),
        );
        Ok(())
    }

    /// While nothing is committed, later samples have the place of the first one: whatever the server writes meanwhile, no
    /// commit is in it.
    fn keep(&mut self, mut sample: Sample) {
        if let Some(last) = self.samples.back_mut()
            && last.transactions == sample.transactions
            && sample.is_quiet()
        {
            last.at = sample.at;
            return;
        }
        if sample.place % SEGMENT_BYTES <= HEADER {
            sample.place -= sample.place % SEGMENT_BYTES;
        }
        self.samples.push_back(sample);
        if self.samples.len() > SAMPLES {
            let mut odd = false;
            self.samples.retain(|_| {
                odd = !odd;
                odd
            });
        }
    }

    /// The last file that follows without a gap on the newest snapshot.
    async fn reach(&mut self, inner: &Inner, database: &str) -> Result<Option<Segment>, PlaneError> {
        let dir = inner.archive_dir(database);
        self.looks += 1;
        if let Some((_, segment)) = &mut self.reached
            && !self.looks.is_multiple_of(WHOLE)
        {
            // The archive may have tens of thousands of files: usually only the next ones matter.
            loop {
                let next = Segment { number: segment.number + 1, ..*segment };
                if !dir.join(next.to_string()).exists() {
                    return Ok(Some(*segment));
                }
                *segment = next;
            }
        }
        let taken = inner.snapshots()?.into_iter().filter(|s| s.database == database);
        let Some(base) = taken.max_by_key(|s| s.taken) else { return Ok(None) };
        let from = match &self.reached {
            Some((name, segment)) if *name == base.name => *segment,
            _ => inner.first_wal(&base.name, base.version).await?,
        };
        let read = tokio::task::spawn_blocking(move || Archived::read(&dir)).await;
        let archived = read.map_err(|e| PlaneError::plane("read the archive").because(e))??;
        self.reached = archived.reach(from).map(|segment| (base.name, segment));
        Ok(self.reached.as_ref().map(|(_, segment)| *segment))
    }

    /// The server switches to the next file itself when there was a commit. What remains is what it wrote before this daemon
    /// looked, and records that it does not count as activity.
    async fn switch_if_quiet(
        &mut self,
        session: &Session,
        reached: Option<Segment>,
        archive: Archive,
    ) -> Result<(), PlaneError> {
        let (Some(last), Some(reached)) = (self.samples.back(), reached) else { return Ok(()) };
        let waits = last.place > reached.end();
        let quiet_ms = last.at.since_ms(self.samples.iter().rev().nth(1).map_or(Timestamp(0), |s| s.at));
        let is_due = quiet_ms > i64::from(archive.timeout_secs) * 1000;
        if waits && is_due && last.is_quiet() && self.switched.as_ref() != Some(&last.transactions) {
            session.run("select pg_switch_wal()").await?;
            self.switched = Some(last.transactions.clone());
        }
        Ok(())
    }

    /// Bounds the WAL of a server that cannot archive: a database that stops because its disk is full would be worse than a gap in what can be
    /// restored. Returns since when the archive is given up.
    async fn give_up(
        &self,
        inner: &Inner,
        database: &str,
        primary: &str,
        archiver: &Archiver,
    ) -> Result<Option<Timestamp>, PlaneError> {
        let flag = inner.given_up(database);
        if let Ok(since) = std::fs::metadata(&flag).and_then(|found| found.modified()) {
            let since = since.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            return Ok(Some(Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))));
        }
        if !archiver.fails {
            return Ok(None);
        }
        let data = inner.data(database, primary);
        let disk = rustix::fs::statvfs(&data)
            .map_err(std::io::Error::from)
            .machine(|| format!("measure the disk of {}", data.display()))?;
        if !is_too_much(archiver.waiting_bytes, disk.f_bavail, disk.f_blocks) {
            return Ok(None);
        }
        std::fs::write(&flag, b"").machine(|| format!("write {}", flag.display()))?;
        let (database, waiting_bytes) = (database.to_owned(), archiver.waiting_bytes);
        inner.report(Event::ArchiveGivenUp { database, waiting_bytes }).await;
        Ok(Some(inner.config.clock.now()))
    }

    async fn report(&mut self, inner: &Inner, database: &str, archiver: &Archiver) {
        if archiver.fails == self.failing {
            return;
        }
        self.failing = archiver.fails;
        let database = database.to_owned();
        let waiting_bytes = archiver.waiting_bytes;
        let event = if archiver.fails {
            Event::ArchiveFails { database, waiting_bytes }
        } else {
            Event::ArchiveWorks { database }
        };
        inner.report(event).await;
    }
}

/// Whether WAL that cannot be archived must be dropped, on a disk with so many free blocks.
fn is_too_much(waiting_bytes: u64, free: u64, blocks: u64) -> bool {
    waiting_bytes >= WAITS_BYTES && free.saturating_mul(100) < blocks.saturating_mul(FREE_PERCENT)
}

/// The newest moment whose every commit is before `end`.
fn restorable(samples: &VecDeque<Sample>, end: u64) -> Option<Timestamp> {
    samples.iter().rev().find(|s| s.place <= end).map(|s| s.at.plus_ms(-MARGIN_MS))
}

async fn ask(session: &Session) -> Result<(Sample, Archiver), PlaneError> {
    // In this order: the time, then which transactions are over, then the place of the WAL.
    let at: i64 = session.value("select (extract(epoch from clock_timestamp()) * 1000)::int8").await?;
    let transactions: String = session.value("select pg_current_snapshot()::text").await?;
    let sql = "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::int8, \
         coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false), \
         (extract(epoch from last_failed_time) * 1000)::int8, \
         (select coalesce(sum(size), 0)::int8 from pg_ls_waldir()) from pg_stat_archiver";
    let rows = session.rows(sql, &[]).await?;
    let row = rows.first().ok_or_else(|| PlaneError::plane("the query of the archiver returned no row"))?;
    let sample = Sample { at: Timestamp(at), transactions, place: row.get::<_, i64>(0).unsigned_abs() };
    let archiver = Archiver {
        fails: row.get(1),
        since: row.get::<_, Option<i64>>(2).map(Timestamp),
        waiting_bytes: row.get::<_, i64>(3).unsigned_abs(),
    };
    Ok((sample, archiver))
}

impl Inner {
    fn given_up(&self, database: &str) -> PathBuf {
        self.config.state.join("archives").join(given_up_name(database))
    }

    /// The servers archive again.
    pub(crate) fn resume_archive(&self, database: &str) -> Result<(), PlaneError> {
        let flag = self.given_up(database);
        match std::fs::remove_file(&flag) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).machine(|| format!("remove {}", flag.display()))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn note_archive(&self, database: &str, seen: Option<ArchiveSeen>) {
        let mut all = self.archives.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match seen {
            Some(seen) => drop(all.insert(database.to_owned(), seen)),
            None => drop(all.remove(database)),
        }
    }

    pub(crate) fn archive_seen(&self, database: &str) -> Option<ArchiveSeen> {
        self.archives.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get(database).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at: i64, transactions: &str, place: u64) -> Sample {
        Sample { at: Timestamp(at), transactions: transactions.into(), place }
    }

    #[test]
    fn quiet_database_is_restorable_up_to_now() {
        let mut watch = Watch::default();
        watch.keep(sample(10_000, "7:7:", 5 * SEGMENT_BYTES + 400));
        // Records that are no commits.
        watch.keep(sample(11_000, "7:7:", 5 * SEGMENT_BYTES + 500));
        assert_eq!(restorable(&watch.samples, 5 * SEGMENT_BYTES), None);
        watch.keep(sample(90_000, "7:7:", 6 * SEGMENT_BYTES + 80));
        assert_eq!(restorable(&watch.samples, 6 * SEGMENT_BYTES), Some(Timestamp(89_000)));
        // A commit that is not archived yet.
        watch.keep(sample(91_000, "8:8:", 6 * SEGMENT_BYTES + 300));
        watch.keep(sample(95_000, "8:8:", 6 * SEGMENT_BYTES + 300));
        assert_eq!(restorable(&watch.samples, 6 * SEGMENT_BYTES), Some(Timestamp(89_000)));
        assert_eq!(restorable(&watch.samples, 7 * SEGMENT_BYTES), Some(Timestamp(94_000)));
    }

    #[test]
    fn waiting_wal_is_dropped_only_if_it_fills_the_disk() {
        let gib = 1 << 30;
        assert!(is_too_much(gib, 9, 100));
        assert!(!is_too_much(gib, 10, 100));
        // Others have filled the disk.
        assert!(!is_too_much(gib - 1, 0, 100));
        assert!(!is_too_much(0, 0, 0));
    }

    #[test]
    fn running_transaction_is_not_quiet_and_samples_are_bounded() {
        let mut watch = Watch::default();
        for at in 0..2000 {
            watch.keep(sample(at * 1000, "7:9:7", 100_000 + at.unsigned_abs()));
        }
        assert!(watch.samples.len() <= SAMPLES && watch.samples.len() > SAMPLES / 3);
        assert_eq!(watch.samples.back().unwrap().at, Timestamp(1_999_000));
    }
}
