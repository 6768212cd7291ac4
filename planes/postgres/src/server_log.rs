//! Reads what a server wrote to its log: hourly files, of which the server keeps a day (`conf.rs`).

use crate::{plane::Inner, spec::*};
use escale_base::{PlaneError, Timestamp, error::Context};
use escale_files::Folder;
use std::{
    io::{Read, Seek, SeekFrom},
    path::Path,
    time::SystemTime,
};

/// A line that is longer is cut into several.
const LINE_BYTES: usize = 64 * 1024;

impl Inner {
    pub(crate) async fn log(
        &self,
        database: &str,
        node: &str,
        after: Option<LogPlace>,
        most_bytes: usize,
    ) -> Result<LogChunk, PlaneError> {
        self.record(database)?.node(node)?;
        let dir = self.node_dir(database, node).join("log");
        let read = tokio::task::spawn_blocking(move || read(&dir, after, most_bytes.max(2 * LINE_BYTES)));
        read.await.plane(|| "read a server's log".into())?
    }
}

/// The lines after a place; without a place, those of the newest file.
fn read(dir: &Path, after: Option<LogPlace>, most_bytes: usize) -> Result<LogChunk, PlaneError> {
    let what = || format!("read the log in {}", dir.display());
    // The folder belongs to the server: no link in it is followed to a file of somebody else.
    let folder = Folder::open(dir).machine(what)?;
    let mut files: Vec<(SystemTime, String)> = Vec::new();
    for name in folder.names("").machine(what)?.into_iter().filter(|n| n.ends_with(".log")) {
        let changed =
            folder.file(&name).machine(what)?.metadata().and_then(|m| m.modified()).machine(what)?;
        files.push((changed, name));
    }
    files.sort();
    let Some((_, newest)) = files.last() else {
        let next = after.unwrap_or(LogPlace { file: String::new(), offset: 0 });
        return Ok(LogChunk { lines: vec![], next });
    };
    let known = |place: &LogPlace| files.iter().any(|(_, name)| *name == place.file);
    let mut place = after.filter(known).unwrap_or(LogPlace { file: newest.clone(), offset: 0 });
    loop {
        let mut file = folder.file(&place.file).machine(what)?;
        let length = file.metadata().machine(what)?.len();
        if length < place.offset {
            // A day later the server begins the file anew.
            place.offset = 0;
        }
        file.seek(SeekFrom::Start(place.offset)).machine(what)?;
        let mut bytes = Vec::new();
        file.take(most_bytes as u64).read_to_end(&mut bytes).machine(what)?;
        let at = files.iter().position(|(_, name)| *name == place.file);
        let later = at.and_then(|at| files.get(at + 1)).map(|(_, name)| name.clone());
        let whole = whole_lines(&bytes, later.is_some() && bytes.len() < most_bytes);
        if whole > 0 {
            place.offset += whole as u64;
            let lines = entries(&String::from_utf8_lossy(&bytes[..whole]));
            return Ok(LogChunk { lines, next: place });
        }
        match later {
            Some(file) => place = LogPlace { file, offset: 0 },
            None => return Ok(LogChunk { lines: vec![], next: place }),
        }
    }
}

/// The bytes up to the last line's end. A finished file may end without one, and a line may be too long to wait for its end.
fn whole_lines(bytes: &[u8], is_finished: bool) -> usize {
    match bytes.iter().rposition(|b| *b == b'\n') {
        _ if is_finished => bytes.len(),
        Some(end) => end + 1,
        None if bytes.len() >= LINE_BYTES => bytes.len(),
        None => 0,
    }
}

/// Lines that begin with a tab continue the message before them.
fn entries(text: &str) -> Vec<LogLine> {
    let mut found: Vec<LogLine> = Vec::new();
    for line in text.lines().filter(|l| !l.is_empty()) {
        match found.last_mut() {
            Some(last) if line.starts_with('\t') && last.text.len() < LINE_BYTES => {
                last.text.push('\n');
                last.text.push_str(line);
            }
            _ => found.push(LogLine { at: time_of(line), text: line.to_owned() }),
        }
    }
    found
}

/// `2026-11-30 20:00:00.123 UTC`: how `log_line_prefix` begins unless a parameter changes it.
fn time_of(line: &str) -> Option<Timestamp> {
    let mut words = line.split(' ');
    let (day, time, zone) = (words.next()?, words.next()?, words.next()?);
    let zone = zone.split(':').next()?;
    (zone == "UTC").then(|| Timestamp::parse_iso8601(&format!("{day}T{time}Z")))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(chunk: &LogChunk) -> Vec<&str> {
        chunk.lines.iter().map(|l| l.text.as_str()).collect()
    }

    #[test]
    fn follows_files_and_never_leaves_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str, age_secs: u64| {
            std::fs::write(dir.path().join(name), text).unwrap();
            let file = std::fs::File::options().write(true).open(dir.path().join(name)).unwrap();
            let age = std::time::Duration::from_secs(age_secs);
            file.set_modified(file.metadata().unwrap().modified().unwrap() - age).unwrap();
        };
        write("postgresql-09.log", "2026-11-30 09:00:00.500 UTC [1] LOG:  one\n\tmore\nhalf", 100);
        let first = read(dir.path(), None, 1 << 20).unwrap();
        assert_eq!(texts(&first), ["2026-11-30 09:00:00.500 UTC [1] LOG:  one\n\tmore"]);
        assert_eq!(first.lines[0].at.unwrap().iso8601(), "2026-11-30T09:00:00.500Z");
        write("postgresql-09.log", "2026-11-30 09:00:00.500 UTC [1] LOG:  one\n\tmore\nhalf a line\n", 50);
        write("postgresql-10.log", "ten\n", 1);
        let second = read(dir.path(), Some(first.next), 1 << 20).unwrap();
        assert_eq!(texts(&second), ["half a line"]);
        let third = read(dir.path(), Some(second.next), 1 << 20).unwrap();
        assert_eq!(texts(&third), ["ten"]);
        // The next day.
        write("postgresql-10.log", "ne\n", 0);
        assert_eq!(texts(&read(dir.path(), Some(third.next.clone()), 1 << 20).unwrap()), ["ne"]);
        std::fs::remove_file(dir.path().join("postgresql-10.log")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("postgresql-10.log")).unwrap();
        assert!(read(dir.path(), Some(third.next), 1 << 20).is_err());
    }
}
