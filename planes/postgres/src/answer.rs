//! What a server reports of itself.

use crate::{
    conf::{FLOORED, Floors},
    session::Session,
    spec::*,
};
use escale_base::{PlaneError, Timestamp};
use std::collections::BTreeMap;

/// In SQL, how old the data of a server in recovery is; null on a primary. Replaying a commit late is a lag, an idle source is none.
pub(crate) const LAG_MS: &str = "case when not pg_is_in_recovery() then null \
     when pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn() \
     and exists (select from pg_stat_wal_receiver where status = 'streaming') then 0 \
     else (extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000)::int8 end";

/// A server's own report.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) in_recovery: bool,
    pub(crate) started: Timestamp,
    pub(crate) timeline: u32,
    pub(crate) release: Option<Release>,
    pub(crate) pending_restart: Vec<String>,
    pub(crate) replicas: BTreeMap<String, Replication>,
    pub(crate) floors: Floors,
    /// Slots of servers that replicate from this one.
    pub(crate) slots: Vec<String>,
    /// Whether a server in recovery receives WAL over the network.
    pub(crate) receives: bool,
    /// How old the data of a server in recovery is.
    pub(crate) lag_ms: Option<u64>,
}

impl Answer {
    pub(crate) async fn ask(session: &Session) -> Result<Answer, PlaneError> {
        let text = |row: &tokio_postgres::Row, i| row.get::<_, Option<String>>(i).unwrap_or_default();
        let own = format!(
            "select pg_is_in_recovery(), (extract(epoch from pg_postmaster_start_time()) * 1000)::int8, \
             (select timeline_id::int8 from pg_control_checkpoint()), \
             (select coalesce(max(received_tli), 0)::int8 from pg_stat_wal_receiver), \
             coalesce((select array_agg(name order by name) from pg_settings where pending_restart), '{{}}'), \
             case when pg_is_in_recovery() then null else pg_walfile_name(pg_current_wal_lsn()) end, \
             current_setting('server_version'), \
             exists (select from pg_stat_wal_receiver where status = 'streaming'), \
             {LAG_MS}"
        );
        let rows = session.rows(&own, &[]).await?;
        let row =
            rows.first().ok_or_else(|| PlaneError::plane("the status query of a server returned no row"))?;
        // A primary's current timeline is in the name of its WAL file; its last checkpoint may be older.
        let writing = row.get::<_, Option<String>>(5);
        let writing = writing.and_then(|name| u32::from_str_radix(name.get(..8)?, 16).ok());
        let followed = u32::try_from(row.get::<_, i64>(2).max(row.get::<_, i64>(3))).unwrap_or(0);
        let mut answer = Answer {
            in_recovery: row.get(0),
            started: Timestamp(row.get(1)),
            timeline: writing.unwrap_or(followed),
            release: text(row, 6).parse().ok(),
            pending_restart: row.get(4),
            replicas: BTreeMap::new(),
            floors: Floors::new(),
            slots: vec![],
            receives: row.get(7),
            lag_ms: row.get::<_, Option<i64>>(8).map(|lag| lag.max(0).unsigned_abs()),
        };
        let floors = format!("select name, setting from pg_settings where name in ({FLOORED})");
        for row in session.rows(&floors, &[]).await? {
            answer.floors.insert(text(&row, 0), text(&row, 1).parse().unwrap_or(0));
        }
        if answer.in_recovery {
            return Ok(answer);
        }
        // A tool's own slot is temporary.
        let slots =
            "select slot_name::text from pg_replication_slots where slot_type = 'physical' and not temporary";
        answer.slots = session.rows(slots, &[]).await?.iter().map(|row| text(row, 0)).collect();
        let replicas = "select application_name, state, sync_state, \
             pg_wal_lsn_diff(pg_current_wal_lsn(), flush_lsn)::int8 from pg_stat_replication";
        for row in session.rows(replicas, &[]).await? {
            let state = match (text(&row, 1).as_str(), text(&row, 2).as_str()) {
                ("streaming", "sync" | "quorum") => ReplicationState::Sync,
                ("streaming", _) => ReplicationState::Async,
                ("catchup", _) => ReplicationState::CatchingUp,
                _ => continue, // a copy being made
            };
            let lag = row.get::<_, Option<i64>>(3).map(|lag| lag.max(0).unsigned_abs());
            answer.replicas.insert(text(&row, 0), Replication { state, lag_bytes: lag });
        }
        Ok(answer)
    }

    pub(crate) fn streams(&self, node: &str) -> bool {
        use ReplicationState::{Async, Sync};
        self.replicas.get(node).is_some_and(|r| matches!(r.state, Sync | Async))
    }

    /// Whether the server runs with a setting below its source's: its recovery stops then.
    pub(crate) fn is_below(&self, floors: &Floors) -> bool {
        floors.iter().any(|(name, floor)| self.floors.get(name).is_some_and(|own| own < floor))
    }
}
