//! What a primary uses: of its own tables, of its processes and of the machine.
//!
//! Servers have no cgroup of their own. The kernel counts CPU time and bytes of the disk for each process, and adds those of a
//! child to its parent when the parent has reaped it: the server's own figures and those of its living children are all.

use crate::{
    answer::LAG_MS,
    plane::Inner,
    process::Process,
    spec::{REPLICATOR, SUPERVISOR},
};
use escale_base::{PlaneError, error::Context};
use nix::unistd::{SysconfVar, sysconf};
use std::{fs, path::Path, time::Duration};

/// The usage of a database's primary, or of a read-only copy. Everything that is counted begins anew with the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The process of the server.
    pub pid: u32,
    /// Clients that are connected, without the plane's own.
    pub connections: u64,
    /// How many transactions ago the oldest row was written that is not frozen. At two billion the server refuses writes.
    pub oldest_transaction_age: u64,
    /// The place up to which WAL has been written, or replayed by a copy. It never goes back, also over a failover.
    pub wal_position: u64,
    pub cpu: Duration,
    /// Processors that the server can use.
    pub processors: u32,
    /// Bytes that the disk has read for the server, and written: what the kernel's cache answers is not in it.
    pub read_bytes: u64,
    pub written_bytes: u64,
    /// Bytes that its network interface has received and sent; `None` without a namespace.
    pub network: Option<(u64, u64)>,
    /// What is free on the disk of its data, for the server's user.
    pub free_disk_bytes: u64,
    /// What programs can still use of the machine's memory without swapping.
    pub free_memory_bytes: u64,
    /// How old the data of a read-only copy is, as in [`crate::Following`]; `None` for a primary.
    pub lag_ms: Option<u64>,
}

/// Clients, the age of the oldest transaction, the place in the WAL, and what concerns a copy.
fn question() -> String {
    format!(
        "select (select count(*) from pg_stat_activity where backend_type = 'client backend' \
         and usename not in ('{SUPERVISOR}', '{REPLICATOR}')), \
         (select max(age(datfrozenxid))::int8 from pg_database), \
         pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_replay_lsn() \
         else pg_current_wal_lsn() end, '0/0')::int8, pg_is_in_recovery(), {LAG_MS}"
    )
}

impl Inner {
    /// `None` while the primary does not answer, or does not accept writes although it is no copy.
    pub(crate) async fn usage(&self, name: &str) -> Result<Option<Usage>, PlaneError> {
        let record = match self.record(name) {
            Ok(record) if record.running => record,
            _ => return Ok(None),
        };
        let (primary, data) = (record.node(&record.primary)?, self.data(name, &record.primary));
        let Some(server) = Process::server_of(&data) else { return Ok(None) };
        let Ok(session) = self.session(name, &record.primary, record.port).await else { return Ok(None) };
        let Ok(rows) = session.rows(&question(), &[]).await else { return Ok(None) };
        let row =
            rows.first().ok_or_else(|| PlaneError::plane("the usage query of a server returned no row"))?;
        // A standby is no primary; it may become one at any time.
        if row.get::<_, bool>(3) && record.source.is_none() {
            return Ok(None);
        }
        let number = |i| u64::try_from(row.get::<_, i64>(i)).unwrap_or(0);
        // The server comes last: it has then what a child used that ended meanwhile.
        let pids = children(server.pid).chain([server.pid]);
        let mut counted = Counted::default();
        for pid in pids {
            counted.add(&Path::new("/proc").join(pid.to_string()), pid == server.pid);
        }
        let disk =
            nix::sys::statvfs::statvfs(&data).machine(|| format!("ask the disk of {}", data.display()))?;
        let network = primary.namespace.as_ref().and_then(|_| {
            fs::read_to_string(format!("/proc/{}/net/dev", server.pid)).ok().map(|text| transferred(&text))
        });
        Ok(Some(Usage {
            pid: server.pid,
            connections: number(0),
            oldest_transaction_age: number(1),
            wal_position: number(2),
            cpu: counted.cpu()?,
            processors: std::thread::available_parallelism().map_or(1, |n| n.get() as u32),
            read_bytes: counted.read_bytes,
            written_bytes: counted.written_bytes,
            network,
            free_disk_bytes: disk.blocks_available() * disk.fragment_size(),
            lag_ms: record
                .source
                .as_ref()
                .and_then(|_| row.get::<_, Option<i64>>(4))
                .map(|ms| ms.max(0).unsigned_abs()),
            free_memory_bytes: available_memory().machine(|| "read /proc/meminfo".into())?,
        }))
    }
}

/// The processes of a server, also one that has ended and that the server has not noticed yet: `pg_stat_activity` lacks it, and the
/// server does not have its figures yet.
fn children(server: u32) -> impl Iterator<Item = u32> {
    let text = fs::read_to_string(format!("/proc/{server}/task/{server}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>().into_iter()
}

#[derive(Default)]
struct Counted {
    ticks: u64,
    read_bytes: u64,
    written_bytes: u64,
}

impl Counted {
    /// Adds a process. One that has ended has nothing any more.
    fn add(&mut self, proc: &Path, with_children: bool) {
        let stat = fs::read_to_string(proc.join("stat")).unwrap_or_default();
        self.ticks += ticks(&stat, with_children);
        let io = fs::read_to_string(proc.join("io")).unwrap_or_default();
        self.read_bytes += value(&io, "read_bytes:");
        self.written_bytes += value(&io, "write_bytes:");
    }

    fn cpu(&self) -> Result<Duration, PlaneError> {
        let what = || "read the kernel's clock tick".to_owned();
        let per_second = sysconf(SysconfVar::CLK_TCK).machine(what)?.unwrap_or(100).unsigned_abs();
        Ok(Duration::from_micros(self.ticks * 1_000_000 / per_second.max(1)))
    }
}

/// The ticks of CPU time in `/proc/PID/stat`, after the program's name: the name may contain anything.
fn ticks(stat: &str, with_children: bool) -> u64 {
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    // utime and stime, then those of reaped children: the 14th to the 17th field.
    let fields = after.split_whitespace().skip(11).take(if with_children { 4 } else { 2 });
    fields.filter_map(|field| field.parse::<u64>().ok()).sum()
}

/// The number behind a name at the beginning of a line.
fn value(text: &str, name: &str) -> u64 {
    let found = text.lines().find_map(|line| line.strip_prefix(name));
    found.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Received and sent bytes of all links in `/proc/net/dev` but loopback.
fn transferred(dev: &str) -> (u64, u64) {
    let links = dev.lines().filter_map(|line| line.split_once(':')).filter(|(name, _)| name.trim() != "lo");
    links.fold((0, 0), |(received, sent), (_, counts)| {
        let count = |nth| counts.split_whitespace().nth(nth).and_then(|c| c.parse::<u64>().ok()).unwrap_or(0);
        (received + count(0), sent + count(8))
    })
}

fn available_memory() -> std::io::Result<u64> {
    Ok(value(&fs::read_to_string("/proc/meminfo")?, "MemAvailable:") * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_counts() {
        let stat = "7 (postgres: a) b) S 1 7 7 0 -1 4194560 881 5 0 0 11 22 33 44 20 0 1 0 5 1 2";
        assert_eq!((ticks(stat, true), ticks(stat, false), ticks("", true)), (110, 33, 0));
        let io = "rchar: 1\nread_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 7\n";
        assert_eq!((value(io, "read_bytes:"), value(io, "write_bytes:")), (4096, 8192));
        let dev = "Inter-|   Receive\n face |bytes\n    lo: 9 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0\n  eth0: 100 1 0 0 0 0 0 0 200 2 0 0 0 0 0 0\n";
        assert_eq!(transferred(dev), (100, 200));
    }
}
