//! Log files, written by the shim: `<utc time> <stdout|stderr> <F|P> <text>`, one entry per line, P when the line continues.
//!
//! The format is that of the Kubernetes container runtime interface. A file is named by the position of its first byte
//! in the whole log, so that positions stay valid when old files are removed.

use crate::{limits, seen::Stream};
use escale_base::Clock;
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

pub(crate) struct LogWriter {
    dir: PathBuf,
    file: File,
    begin: u64,
    length: u64,
    clock: Clock,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// Lines that the disk refused; reported in the log when the disk accepts writes again.
    lost: u64,
}

pub(crate) fn segment(dir: &Path, begin: u64) -> PathBuf {
    dir.join(format!("{begin:020}"))
}

/// First positions of the existing files, in order.
pub(crate) fn segments(dir: &Path) -> Vec<u64> {
    let names = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut all: Vec<u64> = names.filter_map(|e| e.file_name().to_str()?.parse().ok()).collect();
    all.sort_unstable();
    all
}

impl LogWriter {
    pub(crate) fn open(dir: &Path) -> io::Result<LogWriter> {
        fs::create_dir_all(dir)?;
        let begin = segments(dir).last().copied().unwrap_or(0);
        let file = File::options().create(true).append(true).open(segment(dir, begin))?;
        let length = file.metadata()?.len();
        let (stdout, stderr) = (Vec::new(), Vec::new());
        Ok(LogWriter {
            dir: dir.to_owned(),
            file,
            begin,
            length,
            clock: Clock::machine(),
            stdout,
            stderr,
            lost: 0,
        })
    }

    /// Accepts output from a pipe; whole lines are written at once.
    pub(crate) fn take(&mut self, stream: Stream, bytes: &[u8]) {
        let mut held = std::mem::take(self.held(stream));
        held.extend_from_slice(bytes);
        let mut from = 0;
        let mut out = Vec::with_capacity(held.len() + 64);
        let stamp = self.clock.now().iso8601();
        while let Some(length) = held[from..].iter().position(|b| *b == b'\n') {
            for (last, piece) in pieces(&held[from..from + length]) {
                line(&mut out, &stamp, stream, if last { b'F' } else { b'P' }, piece);
            }
            from += length + 1;
        }
        // A line without an end must not grow in memory: its beginning is written as a partial entry.
        while held.len() - from > limits::LOG_LINE_BYTES {
            line(&mut out, &stamp, stream, b'P', &held[from..from + limits::LOG_LINE_BYTES]);
            from += limits::LOG_LINE_BYTES;
        }
        held.drain(..from);
        *self.held(stream) = held;
        self.write(&out);
    }

    /// Writes a last line without a line end.
    pub(crate) fn finish(&mut self) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            if !self.held(stream).is_empty() {
                self.take(stream, b"\n");
            }
        }
    }

    fn held(&mut self, stream: Stream) -> &mut Vec<u8> {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    fn write(&mut self, lines: &[u8]) {
        if lines.is_empty() {
            return;
        }
        let mut all = Vec::new();
        if self.lost > 0 {
            let notice = format!("[{} log lines were lost: the disk refused them]", self.lost);
            line(&mut all, &self.clock.now().iso8601(), Stream::Stderr, b'F', notice.as_bytes());
        }
        all.extend_from_slice(lines);
        match self.rotate().and_then(|()| self.file.write_all(&all)) {
            Ok(()) => {
                self.length += all.len() as u64;
                self.lost = 0;
            }
            Err(_) => {
                self.lost += lines.iter().filter(|b| **b == b'\n').count() as u64;
                // A half-written line would later be read as a whole one: truncate to the last complete line.
                let _ = self.file.set_len(self.length);
            }
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        if self.length < limits::LOG_SEGMENT_BYTES {
            return Ok(());
        }
        let begin = self.begin + self.length;
        // The new file first: if it cannot be created, no old log is deleted.
        self.file = File::options().create(true).append(true).open(segment(&self.dir, begin))?;
        (self.begin, self.length) = (begin, 0);
        let all = segments(&self.dir);
        for old in &all[..all.len().saturating_sub(limits::LOG_SEGMENTS)] {
            fs::remove_file(segment(&self.dir, *old))?;
        }
        Ok(())
    }
}

fn pieces(text: &[u8]) -> impl Iterator<Item = (bool, &[u8])> {
    let count = text.len().div_ceil(limits::LOG_LINE_BYTES).max(1);
    (0..count).map(move |n| {
        let from = n * limits::LOG_LINE_BYTES;
        let to = (from + limits::LOG_LINE_BYTES).min(text.len());
        (n + 1 == count, &text[from..to])
    })
}

fn line(out: &mut Vec<u8>, stamp: &str, stream: Stream, mark: u8, text: &[u8]) {
    out.extend_from_slice(stamp.as_bytes());
    out.extend_from_slice(if stream == Stream::Stdout { b" stdout " } else { b" stderr " });
    out.extend_from_slice(&[mark, b' ']);
    out.extend_from_slice(text);
    out.push(b'\n');
}
