//! Names of WAL files, and which of them an archive has without a gap.

use crate::{
    plane::Inner,
    process::{self, Tool},
    steps::remove_dir,
};
use escale_base::{PlaneError, error::Context};
use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

/// The templates are made with this size (`initdb --wal-segsize=1`).
pub(crate) const SEGMENT_BYTES: u64 = 1 << 20;
/// The header of a segment: a position within it is the segment's begin.
pub(crate) const HEADER: u64 = 40;
const SEGMENTS_PER_ID: u64 = (1 << 32) / SEGMENT_BYTES;

/// A WAL file: its timeline and its place in the sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Segment {
    pub(crate) timeline: u32,
    pub(crate) number: u64,
}

impl Segment {
    /// `000000010000000000000002`
    pub(crate) fn parse(name: &str) -> Option<Segment> {
        if name.len() != 24 || !name.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let part = |at: std::ops::Range<usize>| u32::from_str_radix(name.get(at)?, 16).ok();
        let (timeline, high, low) = (part(0..8)?, part(8..16)?, part(16..24)?);
        Some(Segment { timeline, number: u64::from(high) * SEGMENTS_PER_ID + u64::from(low) })
    }

    pub(crate) fn begin(self) -> u64 {
        self.number * SEGMENT_BYTES
    }

    pub(crate) fn end(self) -> u64 {
        (self.number + 1) * SEGMENT_BYTES
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (high, low) = (self.number / SEGMENTS_PER_ID, self.number % SEGMENTS_PER_ID);
        write!(f, "{:08X}{high:08X}{low:08X}", self.timeline)
    }
}

/// The number of the segment of a place.
pub(crate) fn segment_of(place: u64) -> u64 {
    place / SEGMENT_BYTES
}

/// `0/5000028` as a number.
pub(crate) fn position(text: &str) -> Option<u64> {
    let (high, low) = text.trim().split_once('/')?;
    Some((u64::from_str_radix(high, 16).ok()? << 32) | u64::from_str_radix(low, 16).ok()?)
}

/// Every file of an archive that recovery can read: segments and the histories of timelines.
#[derive(Debug, Default)]
pub(crate) struct Archived {
    pub(crate) segments: Vec<Segment>,
    /// For each timeline, the one that it left, and where.
    pub(crate) histories: BTreeMap<u32, (u32, u64)>,
}

impl Archived {
    pub(crate) fn read(dir: &Path) -> Result<Archived, PlaneError> {
        let mut found = Archived::default();
        let entries = std::fs::read_dir(dir).machine(|| format!("list {}", dir.display()))?;
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(segment) = Segment::parse(&name) {
                found.segments.push(segment);
            } else if let Some(timeline) = timeline_of_history(&name)
                && let Ok(text) = std::fs::read_to_string(entry.path())
                && let Some(parent) = parent(&text)
            {
                found.histories.insert(timeline, parent);
            }
        }
        found.segments.sort();
        Ok(found)
    }

    /// The last segment that recovery reaches from `first` on, on the newest timeline; `None` if even `first` is missing.
    pub(crate) fn reach(&self, first: Segment) -> Option<Segment> {
        let has = |segment: Segment| self.segments.binary_search(&segment).is_ok();
        // The way from the first timeline to the newest: each is left at the segment in which the next one begins.
        let mut way = vec![];
        let mut timeline =
            self.histories.keys().next_back().copied().unwrap_or(first.timeline).max(first.timeline);
        while timeline > first.timeline {
            let (before, at) = self.histories.get(&timeline).copied()?;
            way.push((timeline, at / SEGMENT_BYTES));
            timeline = before;
        }
        let mut reached = None;
        let mut next = first;
        loop {
            while let Some((timeline, number)) =
                way.last().copied().filter(|(_, number)| *number <= next.number)
            {
                next = Segment { timeline, number };
                way.pop();
            }
            if !has(next) {
                return reached;
            }
            reached = Some(next);
            next.number += 1;
        }
    }

    /// A segment after the last reachable one: the archive has a gap before it.
    pub(crate) fn beyond(&self, reached: Segment) -> Option<Segment> {
        self.segments.iter().copied().find(|s| s.timeline == reached.timeline && s.number > reached.number)
    }
}

/// Where the newest timeline of a data directory begins.
pub(crate) fn switched_at(data: &Path) -> Option<u64> {
    let names = std::fs::read_dir(data.join("pg_wal")).ok()?.flatten().map(|e| e.file_name());
    let newest = names.filter_map(|n| timeline_of_history(&n.to_string_lossy())).max()?;
    let history = std::fs::read_to_string(data.join("pg_wal").join(format!("{newest:08X}.history"))).ok()?;
    parent(&history).map(|(_, at)| at)
}

fn timeline_of_history(name: &str) -> Option<u32> {
    u32::from_str_radix(name.strip_suffix(".history").filter(|n| n.len() == 8)?, 16).ok()
}

/// The last line of a history: the timeline that was left, and where.
fn parent(history: &str) -> Option<(u32, u64)> {
    let line = history.lines().rfind(|l| l.starts_with(|c: char| c.is_ascii_digit()))?;
    let mut words = line.split_whitespace();
    Some((words.next()?.parse().ok()?, position(words.next()?)?))
}

impl Inner {
    /// The folder of a database's archive.
    pub(crate) fn archive_dir(&self, database: &str) -> PathBuf {
        self.config.state.join("archives").join(database)
    }

    /// The first WAL file that recovery of a snapshot reads.
    pub(crate) async fn first_wal(&self, snapshot: &str, version: u32) -> Result<Segment, PlaneError> {
        let data = self.snapshot_dir(snapshot).join("data");
        let what = || format!("read where snapshot '{snapshot}' begins");
        let name = match std::fs::read_to_string(data.join("backup_label")) {
            // START WAL LOCATION: 0/2000028 (file 000000010000000000000002)
            Ok(label) => {
                let file =
                    label.lines().next().and_then(|l| Some(l.rsplit_once("(file ")?.1.trim_end_matches(')')));
                file.unwrap_or_default().to_owned()
            }
            // Copied while its server was down.
            Err(_) => {
                let tool = Tool::new(self.binaries(version)?.program("pg_controldata")).arg(&data);
                let output = process::run(tool, &self.user).await?;
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                let line = text.lines().find_map(|l| l.strip_prefix("Latest checkpoint's REDO WAL file:"));
                line.unwrap_or_default().trim().to_owned()
            }
        };
        Segment::parse(&name).ok_or_else(|| PlaneError::plane(format!("cannot {}: '{name}'", what())))
    }

    /// Removes the archived WAL that no recovery from this snapshot reads, all of it if there is none.
    pub(crate) async fn trim(&self, database: &str, oldest: Option<&str>) -> Result<(), PlaneError> {
        let dir = self.archive_dir(database);
        let Some(oldest) = oldest else {
            // The folder stays: a server may write into it.
            return on_thread(move || each(&dir, |path, _| remove(path))).await;
        };
        let version = self.snapshot_record(oldest)?.version;
        let first = self.first_wal(oldest, version).await?;
        on_thread(move || {
            each(&dir, |path, name| {
                // As pg_archivecleanup: a segment of another timeline with an earlier place is not needed either.
                let segment = name.get(..24).and_then(Segment::parse);
                let is_old = segment.is_some_and(|s| s.number < first.number)
                    || timeline_of_history(name).is_some_and(|t| t < first.timeline);
                if is_old { remove(path) } else { Ok(()) }
            })
        })
        .await
    }

    /// Links every archived file that a recovery may read, so that neither a newer file nor a removal changes what it finds.
    pub(crate) async fn freeze(&self, database: &str, first: Segment, to: &Path) -> Result<(), PlaneError> {
        let (from, to, user) = (self.archive_dir(database), to.to_owned(), self.user.clone());
        on_thread(move || {
            remove_dir(&to)?;
            crate::plane::make_dir(&to, Some(&user), 0o700)?;
            each(&from, |path, name| {
                let reads = Segment::parse(name).is_some_and(|s| s.number >= first.number)
                    || timeline_of_history(name).is_some();
                let link =
                    || std::fs::hard_link(path, to.join(name)).machine(|| format!("link {}", path.display()));
                if reads { link() } else { Ok(()) }
            })
        })
        .await
    }

    pub(crate) fn make_archive(&self, database: &str) -> Result<(), PlaneError> {
        crate::plane::make_dir(&self.archive_dir(database), Some(&self.user), 0o700)
    }
}

async fn on_thread(work: impl FnOnce() -> Result<(), PlaneError> + Send + 'static) -> Result<(), PlaneError> {
    tokio::task::spawn_blocking(work).await.plane(|| "read the archive".into())?
}

/// Calls `work` with every file's path and name. A folder that does not exist is empty.
fn each(dir: &Path, work: impl Fn(&Path, &str) -> Result<(), PlaneError>) -> Result<(), PlaneError> {
    if !dir.exists() {
        return Ok(());
    }
    for entry in std::fs::read_dir(dir).machine(|| format!("list {}", dir.display()))?.flatten() {
        work(&entry.path(), &entry.file_name().to_string_lossy())?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), PlaneError> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).machine(|| format!("remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// The command with which a server archives a file. It runs in the data directory, with the server's user, also while no daemon
/// runs. Both servers of a pair archive (`archive_mode = always`), so that a failover leaves no gap: as PostgreSQL's manual asks
/// of a shared archive, a file that is there already is a success only if its content is the same.
/// <https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-ARCHIVING-WAL>
///
/// A file gets its name when it is whole and on the disk. The zeros after a switch take no space. After the archive was given up, files are
/// dropped instead.
pub(crate) fn archive_command(database: &str, node: &str) -> String {
    let given_up = given_up_name(database);
    // Each name is written once: up to version 15 a server cuts the command off after 1,023 bytes, without an error.
    format!(
        "a=../../../../archives; d=$a/{database}; f=$d/%f; n=$d/{node}.new; p=%p; if [ -e $a/{given_up} ]; then exit 0; fi; \
         if [ -e $f ]; then cmp -s $p $f; else rm -f $n && {{ cp --sparse=always $p $n || cp $p $n; }} && sync $n && \
         ln -T $n $f && rm -f $n; fi && sync $d"
    )
}

/// The command with which a server reads a frozen archive back. `dir` is a name next to the archives.
///
/// An exit code above 125 ends the recovery with an error. With another one the server takes a file that cannot be copied, for
/// example onto a full disk, for the end of the WAL: <https://www.postgresql.org/docs/current/runtime-config-wal.html>.
pub(crate) fn restore_command(dir: &str) -> String {
    let file = format!("../../../../archives/{dir}/%f");
    format!("if [ -e {file} ]; then cp {file} %p || exit 255; else exit 1; fi")
}

/// The name of the file, next to the archives, that exists from when an archive was given up until the next snapshot.
pub(crate) fn given_up_name(database: &str) -> String {
    format!("{database}.given-up")
}

/// The name of the folder of a frozen archive. The dot keeps it apart from the names of databases.
pub(crate) fn frozen_name(database: &str) -> String {
    format!("{database}.frozen")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archived(names: &[&str], histories: &[(u32, (u32, u64))]) -> Archived {
        let mut segments: Vec<_> = names.iter().map(|n| Segment::parse(n).unwrap()).collect();
        segments.sort();
        Archived { segments, histories: histories.iter().copied().collect() }
    }

    #[test]
    fn archive_command_is_complete_with_the_longest_names() {
        let file = "000000010000000000000015.00000028.backup";
        let command = archive_command(&"d".repeat(63), &"n".repeat(63));
        let expanded = command.replace("%p", &format!("pg_wal/{file}")).replace("%f", file);
        assert!(expanded.len() < 1023, "{}", expanded.len());
    }

    #[test]
    fn names_of_segments() {
        let one = Segment::parse("0000000200000001000000FF").unwrap();
        assert_eq!((one.timeline, one.number), (2, 4096 + 255));
        assert_eq!(one.to_string(), "0000000200000001000000FF");
        assert_eq!(Segment::parse("000000010000000000000002.partial"), None);
        assert_eq!(position("1/5000028"), Some((1 << 32) + 0x500_0028));
        assert_eq!(
            parent("1\t0/2000000\tx\n2\t0/300000\tno recovery target specified\n"),
            Some((2, 0x30_0000))
        );
    }

    #[test]
    fn reach_ends_before_a_gap_and_follows_timelines() {
        let first = Segment { timeline: 1, number: 2 };
        let names = ["000000010000000000000002", "000000010000000000000003", "000000010000000000000005"];
        let some = archived(&names, &[]);
        assert_eq!(some.reach(first).unwrap().number, 3);
        assert_eq!(some.beyond(some.reach(first).unwrap()).unwrap().number, 5);
        assert_eq!(some.reach(Segment { timeline: 1, number: 9 }), None);
        // The first server archived files 3 and 4; the second one left its timeline within file 3.
        let names = ["000000010000000000000002", "000000010000000000000003", "000000010000000000000004"];
        let left = [(2, (1, 3 * SEGMENT_BYTES + 40))];
        assert_eq!(archived(&names, &left).reach(first), Some(first));
        let both: Vec<_> =
            names.into_iter().chain(["000000020000000000000003", "000000020000000000000004"]).collect();
        assert_eq!(archived(&both, &left).reach(first), Some(Segment { timeline: 2, number: 4 }));
    }
}
