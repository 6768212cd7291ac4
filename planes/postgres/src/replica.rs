//! How a server follows another one: a standby its primary, a read-only copy the primary of its source, over all its failovers.
//!
//! A copy replicates asynchronously, so no commit of the source waits for it, and what its slot keeps for it is bounded. A copy can have WAL
//! that the new primary of a failover lacks: its data is rewound then, or copied again.

use crate::{
    conf,
    plane::Inner,
    record::Record,
    session::{Session, literal},
    spec::*,
    steps::{STREAM, mark, until},
    wal::{Segment, position, segment_of},
};
use escale_base::{PlaneError, Secret};
use std::net::IpAddr;

/// A primary, as a server that follows it reaches it.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    pub(crate) database: String,
    pub(crate) node: String,
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    pub(crate) password: Secret<String>,
}

impl Upstream {
    pub(crate) fn primary_of(spec: &DatabaseSpec, record: &Record, primary: &NodeSpec) -> Upstream {
        Upstream {
            database: spec.name.clone(),
            node: primary.name.clone(),
            address: primary.address,
            port: record.port,
            password: record.replicator_password.clone(),
        }
    }
}

impl Record {
    /// The primary of this database.
    pub(crate) fn upstream(&self, database: &str) -> Result<Upstream, PlaneError> {
        let address = self.node(&self.primary)?.address.ok_or_else(|| {
            PlaneError::machine(format!(
                "the address of the primary of database '{database}' is not known yet"
            ))
        })?;
        Ok(Upstream {
            database: database.to_owned(),
            node: self.primary.clone(),
            address,
            port: self.port,
            password: self.replicator_password.clone(),
        })
    }
}

impl Inner {
    /// The primary that a copy follows; `None` if the database is no copy, or its source no longer exists.
    pub(crate) fn source_of(&self, record: &Record) -> Result<Option<Upstream>, PlaneError> {
        let Some(source) = &record.source else { return Ok(None) };
        let found = Record::load(&self.dir(source))?.filter(|r| !r.deleting);
        found.map(|r| r.upstream(source)).transpose()
    }

    /// As [`Inner::source_of`], for a step that cannot do without it.
    pub(crate) fn needed_source(&self, record: &Record) -> Result<Upstream, PlaneError> {
        self.source_of(record)?.ok_or_else(|| {
            let source = record.source.clone().unwrap_or_default();
            PlaneError::asked(format!("the source '{source}' of the replica does not exist"))
        })
    }

    /// Waits until the server streams, or finds that its data is of no use: then it is rebuilt.
    pub(crate) async fn await_streaming(
        &self,
        database: &str,
        record: &mut Record,
        node: &str,
    ) -> Result<(), PlaneError> {
        let upstream = match record.source {
            Some(_) => self.needed_source(record)?,
            None => record.upstream(database)?,
        };
        let session = self.session(&upstream.database, &upstream.node, upstream.port).await?;
        let slot = conf::slot(node);
        let status = "select wal_status from pg_replication_slots where slot_name = $1";
        let rows = session.rows(status, &[&slot]).await?;
        let status = rows.first().map(|row| row.get::<_, Option<String>>(0).unwrap_or_default());
        let lost = match (&record.source, status.as_deref()) {
            (_, Some("lost")) => Some(true),
            // Absent for so long that the primary no longer has the WAL it needs.
            (None, None) => Some(false),
            (None, Some(_)) => None,
            (Some(_), slot_status) => {
                let own = self.session(database, node, record.port).await?;
                let found = unusable(&session, &own).await?;
                if found.is_none() && slot_status.is_none() {
                    // A new primary has none: slots are not replicated.
                    let sql = format!("select pg_create_physical_replication_slot({}, true)", literal(&slot));
                    session.run(&sql).await?;
                }
                found
            }
        };
        if let Some(needs_copy) = lost {
            tracing::info!(database, node, needs_copy, "the server cannot follow its primary and is rebuilt");
            mark(&mut record.rebuild, node);
            if needs_copy && record.source.is_some() {
                mark(&mut record.copy, node);
            }
            return record.save(&self.dir(database));
        }
        let sql = "select from pg_stat_replication where application_name = $1 and state = 'streaming'";
        let streams = until!(STREAM, session.rows(sql, &[&node]).await.ok().filter(|rows| !rows.is_empty()));
        streams.map(|_| ()).ok_or_else(|| {
            PlaneError::machine(format!("node '{node}' of database '{database}' is not streaming yet"))
                .because(self.last_words(database, node))
        })
    }

    pub(crate) async fn drop_slot(&self, upstream: &Upstream, slot: &str) -> Result<(), PlaneError> {
        let session = self.session(&upstream.database, &upstream.node, upstream.port).await?;
        let slot = literal(slot);
        // The slot can still be held by a copy or a standby that was just ended.
        session
            .run(&format!(
                "select pg_terminate_backend(active_pid, 5000) from pg_replication_slots where slot_name = {slot} \
                 and active; select pg_drop_replication_slot(slot_name) from pg_replication_slots \
                 where slot_name = {slot}"
            ))
            .await
    }
}

/// Why a copy can never follow this primary with its data: `Some(true)` if the primary no longer has the WAL that it needs, `Some(false)` if it
/// has WAL that the primary lacks.
async fn unusable(primary: &Session, copy: &Session) -> Result<Option<bool>, PlaneError> {
    // A server has segments of a timeline that it has followed. Of a timeline that it only knows, it has the history.
    let own = "select greatest(coalesce(pg_last_wal_receive_lsn(), '0/0'), coalesce(pg_last_wal_replay_lsn(), '0/0'))::text \
         || ' ' || (select coalesce(max(substr(name, 1, 8)), '00000001') from pg_ls_waldir() where length(name) = 24)";
    let own: String = copy.value(own).await?;
    let theirs: String =
        primary.value("select substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)").await?;
    let (place, timeline) = own.split_once(' ').unwrap_or_default();
    let place = position(place).ok_or_else(|| PlaneError::plane("a server names no place in its WAL"))?;
    if timeline != theirs {
        let history =
            format!("select coalesce(pg_read_file('pg_wal/{theirs}.history', 0, 1048576, true), '')");
        let history: String = primary.value(&history).await?;
        if diverges(&history, timeline, place) {
            return Ok(Some(false));
        }
    }
    let first = "select coalesce(min(substr(name, 9)), '') from pg_ls_waldir() where length(name) = 24";
    let first: String = primary.value(first).await?;
    let needed = Segment { timeline: 0, number: segment_of(place) }.to_string();
    Ok((first.as_str() > &needed[8..]).then_some(true))
}

/// Whether a server at this place of a timeline has WAL that is not in the history of the primary's timeline.
fn diverges(history: &str, timeline: &str, place: u64) -> bool {
    let Ok(timeline) = u32::from_str_radix(timeline, 16) else { return true };
    let left = history.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let number: u32 = words.next()?.parse().ok()?;
        (number == timeline).then(|| position(words.next()?)).flatten()
    });
    left.is_none_or(|left| place > left)
}

#[cfg(test)]
mod tests {
    use super::diverges;

    #[test]
    fn copy_diverges_after_the_switch_or_on_an_unknown_timeline() {
        let history =
            "1\t0/2000000\tno recovery target specified\n\n2\t0/3000000\tno recovery target specified\n";
        for (timeline, place, expected) in [
            ("00000001", 0x200_0000, false),
            ("00000001", 0x200_0001, true),
            ("00000002", 0x2FF_FFFF, false),
            ("00000002", 0x300_0001, true),
            ("00000004", 0x100_0000, true),
        ] {
            assert_eq!(diverges(history, timeline, place), expected, "{timeline} {place:x}");
        }
    }
}
