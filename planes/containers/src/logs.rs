//! Reads log files from a position on; see [`crate::shimlog`] for the format.

use crate::{
    seen::{LogChunk, LogLine, Stream},
    shimlog::{segment, segments},
};
use escale_base::Timestamp;
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

/// Reads whole lines, about `max_bytes` of them. The caller sets `end`.
pub(crate) fn read(dir: &Path, cursor: u64, max_bytes: usize) -> io::Result<LogChunk> {
    // A file may be removed between listing and opening: the oldest position has then changed, so list again.
    loop {
        let all = segments(dir);
        let Some(oldest) = all.first().copied() else {
            return Ok(LogChunk { lines: vec![], next: cursor, lost_bytes: 0, end: false });
        };
        let from = cursor.max(oldest);
        // The newest file that begins at or before the position contains it.
        let begin = all.iter().rev().copied().find(|b| *b <= from).unwrap_or(oldest);
        let mut file = match File::open(segment(dir, begin)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        file.seek(SeekFrom::Start(from - begin))?;
        let mut bytes = Vec::new();
        // One line always fits, or a reader with a small maximum would never advance.
        let room = max_bytes.max(crate::limits::LOG_LINE_BYTES + 64);
        file.take(room as u64).read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
        let lines = bytes[..whole].split_inclusive(|b| *b == b'\n').filter_map(parse).collect();
        return Ok(LogChunk { lines, next: from + whole as u64, lost_bytes: from - cursor, end: false });
    }
}

/// The last lines, as far as they are among the last [`LOG_TAIL_BYTES`](crate::limits::LOG_TAIL_BYTES).
pub(crate) fn tail(dir: &Path, lines: usize) -> io::Result<Vec<LogLine>> {
    let all = segments(dir);
    let mut left = crate::limits::LOG_TAIL_BYTES;
    let mut bytes = Vec::new();
    let mut is_cut = false;
    for begin in all.iter().rev() {
        let mut file = match File::open(segment(dir, *begin)) {
            // Files are removed from the oldest on, so all older ones are gone too.
            Err(e) if e.kind() == io::ErrorKind::NotFound => break,
            other => other?,
        };
        let length = file.metadata()?.len();
        is_cut = length > left;
        file.seek(SeekFrom::Start(length.saturating_sub(left)))?;
        let mut piece = Vec::new();
        file.take(left.min(length)).read_to_end(&mut piece)?;
        left = left.saturating_sub(length);
        bytes.splice(0..0, piece);
        if left == 0 {
            break;
        }
    }
    let whole =
        if is_cut { bytes.iter().position(|b| *b == b'\n').map_or(bytes.len(), |n| n + 1) } else { 0 };
    let mut found: Vec<LogLine> = bytes[whole..].split_inclusive(|b| *b == b'\n').filter_map(parse).collect();
    Ok(found.split_off(found.len().saturating_sub(lines)))
}

fn parse(line: &[u8]) -> Option<LogLine> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let mut parts = line.splitn(4, |b| *b == b' ');
    let at = Timestamp::parse_iso8601(std::str::from_utf8(parts.next()?).ok()?)?;
    let stream = match parts.next()? {
        b"stdout" => Stream::Stdout,
        _ => Stream::Stderr,
    };
    let partial = parts.next()? == b"P";
    Some(LogLine { at, stream, text: parts.next().unwrap_or_default().to_vec(), partial })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{limits, shimlog::LogWriter};

    #[test]
    fn lines_pieces_and_positions() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogWriter::open(dir.path()).unwrap();
        log.take(Stream::Stdout, b"one\ntw");
        log.take(Stream::Stderr, b"bad\n");
        log.take(Stream::Stdout, b"o\n\n");
        log.take(Stream::Stdout, &vec![b'x'; limits::LOG_LINE_BYTES + 5]);
        log.finish();
        let chunk = read(dir.path(), 0, 1 << 20).unwrap();
        let seen: Vec<_> = chunk.lines.iter().map(|l| (l.stream, l.text.len(), l.partial)).collect();
        let big = limits::LOG_LINE_BYTES;
        use Stream::{Stderr, Stdout};
        let expected = [
            (Stdout, 3, false),
            (Stderr, 3, false),
            (Stdout, 3, false),
            (Stdout, 0, false),
            (Stdout, big, true),
            (Stdout, 5, false),
        ];
        assert_eq!(seen, expected);
        assert_eq!(read(dir.path(), chunk.next, 100).unwrap().lines, []);
    }

    #[test]
    fn tail_returns_the_last_lines() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogWriter::open(dir.path()).unwrap();
        let texts = |lines| -> Vec<String> {
            let found = tail(dir.path(), lines).unwrap();
            found.iter().map(|l| String::from_utf8_lossy(&l.text).into_owned()).collect()
        };
        assert_eq!(texts(3), [""; 0]);
        log.take(Stream::Stdout, b"one\ntwo\n");
        assert_eq!(texts(3), ["one", "two"]);
        assert_eq!(texts(1), ["two"]);
        // Far more than the tail reads, and across a file boundary: the last lines are complete.
        let many = limits::LOG_SEGMENT_BYTES / 1000 + 7;
        for n in 0..many {
            log.take(Stream::Stderr, format!("{n:01000}\n").as_bytes());
        }
        assert_eq!(segments(dir.path()).len(), 2);
        let all = texts(usize::MAX);
        assert!(all.len() > 20 && all.iter().all(|l| l.len() == 1000), "{}", all.len());
        assert_eq!(all.last().unwrap().trim_start_matches('0'), (many - 1).to_string());
    }

    #[test]
    fn reader_crosses_files_and_learns_how_much_it_missed() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogWriter::open(dir.path()).unwrap();
        let line = [vec![b'y'; 8000], vec![b'\n']].concat();
        let per_file = limits::LOG_SEGMENT_BYTES as usize / line.len();
        for _ in 0..per_file * (limits::LOG_SEGMENTS + 2) {
            log.take(Stream::Stdout, &line);
        }
        assert_eq!(segments(dir.path()).len(), limits::LOG_SEGMENTS);
        let (mut cursor, mut count, mut lost) = (0, 0, 0);
        loop {
            let chunk = read(dir.path(), cursor, 1 << 20).unwrap();
            if chunk.next == cursor {
                break;
            }
            (cursor, count, lost) = (chunk.next, count + chunk.lines.len(), lost + chunk.lost_bytes);
        }
        assert!(lost > 0 && count > per_file * (limits::LOG_SEGMENTS - 1), "{lost} {count}");
    }
}
