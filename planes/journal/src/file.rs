//! The journal in a folder: files of lines, each named by the number of its first entry.
//!
//! One thread writes. A line is `<milliseconds> <text>`; a line that a crash truncated is dropped at the next start.

use crate::{ENTRY_BYTES, Entry, Journal, Kept, Limits, QUEUED_ENTRIES, Query};
use async_trait::async_trait;
use escale_base::{PlaneError, Timestamp, error::Context};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
};

const EXTENSION: &str = "log";

/// Entries per write of the writer.
const BATCH: u64 = 256;

enum Message {
    Append(Entry),
    /// Answered when all earlier entries are in the file.
    Flush(SyncSender<()>),
}

/// The real journal.
pub struct FileJournal {
    folder: PathBuf,
    queue: SyncSender<Message>,
    lost: Arc<AtomicU64>,
    /// Allows one read at a time: each holds a segment in memory.
    reading: Arc<Mutex<()>>,
}

impl FileJournal {
    /// Opens or creates a journal in a folder of its own.
    pub fn open(folder: &Path, limits: Limits) -> Result<FileJournal, PlaneError> {
        let what = || format!("open the journal {}", folder.display());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).machine(what)?;
        let mut writer = Writer::open(folder, limits).machine(what)?;
        let (queue, waiting) = sync_channel(QUEUED_ENTRIES);
        let lost = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&lost);
        // The thread ends when the journal is dropped, after the last entry of the queue.
        std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || writer.run(&waiting, &counter))
            .machine(what)?;
        Ok(FileJournal { folder: folder.to_owned(), queue, lost, reading: Arc::default() })
    }
}

#[async_trait]
impl Journal for FileJournal {
    fn append(&self, entry: Entry) {
        let fits = entry.text.len() <= ENTRY_BYTES && !entry.text.contains('\n');
        let lost = if fits {
            match self.queue.try_send(Message::Append(entry)) {
                Ok(()) => return,
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => 1,
            }
        } else {
            1
        };
        self.lost.fetch_add(lost, Ordering::Relaxed);
    }

    async fn read(&self, query: Query) -> Result<Vec<Kept>, PlaneError> {
        let (folder, queue, reading) = (self.folder.clone(), self.queue.clone(), Arc::clone(&self.reading));
        let work = move || {
            let (done, written) = sync_channel(1);
            if queue.send(Message::Flush(done)).is_ok() {
                // A writer that has ended has written everything it received.
                let _ = written.recv();
            }
            let _alone = reading.lock().unwrap_or_else(PoisonError::into_inner);
            read(&folder, &query)
        };
        let read = tokio::task::spawn_blocking(work).await.plane(|| "read a journal".into())?;
        read.machine(|| format!("read the journal {}", self.folder.display()))
    }
}

fn read(folder: &Path, query: &Query) -> io::Result<Vec<Kept>> {
    let mut found = Vec::new();
    for (first, path) in segments(folder)?.into_iter().rev() {
        if query.before.is_some_and(|before| first >= before) {
            continue;
        }
        let text = match fs::read(&path) {
            Ok(text) => text,
            // The writer removed it as the oldest one.
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        };
        let lines: Vec<&[u8]> = whole_lines(&text).collect();
        for (index, line) in lines.iter().enumerate().rev() {
            let number = first + index as u64;
            if query.before.is_some_and(|before| number >= before) {
                continue;
            }
            // An unreadable line was damaged outside of this program: the others are still useful.
            let Some(entry) = parse(line) else { continue };
            if query.oldest.is_some_and(|oldest| entry.at < oldest) {
                return Ok(found);
            }
            if (query.filter)(&entry) {
                found.push(Kept { number, entry });
                if found.len() >= query.limit {
                    return Ok(found);
                }
            }
        }
    }
    Ok(found)
}

fn parse(line: &[u8]) -> Option<Entry> {
    let (at, text) = std::str::from_utf8(line).ok()?.split_once(' ')?;
    Some(Entry { at: Timestamp(at.parse().ok()?), text: text.to_owned() })
}

fn whole_lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|b| *b == b'\n').filter_map(|line| line.strip_suffix(b"\n"))
}

/// The files with the numbers of their first entries, oldest first.
fn segments(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_segment = path.extension().is_some_and(|e| e == EXTENSION);
        let number = path.file_stem().and_then(|s| s.to_str()).and_then(|s| s.parse().ok());
        if let (true, Some(number)) = (is_segment, number) {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found)
}

struct Writer {
    folder: PathBuf,
    limits: Limits,
    file: File,
    /// Bytes of whole lines in `file`.
    length: u64,
    /// The number of the next entry.
    next: u64,
    is_failing: bool,
}

impl Writer {
    fn open(folder: &Path, limits: Limits) -> io::Result<Writer> {
        let (mut next, mut length) = (0, 0);
        let newest = segments(folder)?.pop();
        let file = match newest {
            None => create(folder, 0)?,
            Some((first, path)) => {
                let text = fs::read(&path)?;
                next = first + whole_lines(&text).count() as u64;
                length = whole_lines(&text).map(|l| l.len() as u64 + 1).sum();
                let file = OpenOptions::new().append(true).open(&path)?;
                file.set_len(length)?;
                file
            }
        };
        Ok(Writer { folder: folder.to_owned(), limits, file, length, next, is_failing: false })
    }

    fn run(&mut self, queue: &Receiver<Message>, lost: &AtomicU64) {
        while let Ok(message) = queue.recv() {
            let (mut lines, mut count, mut flushed) = (Vec::new(), 0, Vec::new());
            let mut message = Some(message);
            while let Some(this) = message {
                match this {
                    Message::Append(entry) => {
                        lines.extend_from_slice(format!("{} {}\n", entry.at.0, entry.text).as_bytes());
                        count += 1;
                    }
                    Message::Flush(done) => flushed.push(done),
                }
                // A batch is small compared to a segment, so that segments keep to their size.
                let has_room = count < BATCH && (lines.len() as u64) < self.limits.segment_bytes / 8;
                message = has_room.then(|| queue.try_recv().ok()).flatten();
            }
            match self.write(&lines, count) {
                Ok(()) => self.is_failing = false,
                Err(error) => {
                    lost.fetch_add(count, Ordering::Relaxed);
                    // Logged once per full disk, not once per entry.
                    if !std::mem::replace(&mut self.is_failing, true) {
                        let folder = self.folder.display();
                        tracing::warn!(%folder, %error, "the journal cannot be written, so new entries are lost");
                    }
                }
            }
            let lost = if self.is_failing { 0 } else { lost.swap(0, Ordering::Relaxed) };
            if lost > 0 {
                tracing::warn!(folder = %self.folder.display(), lost, "entries of the journal were lost");
            }
            for done in flushed {
                // A reader that gave up has dropped its receiver.
                let _ = done.send(());
            }
        }
    }

    fn write(&mut self, lines: &[u8], count: u64) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        if self.length + lines.len() as u64 > self.limits.segment_bytes && self.length > 0 {
            self.file = create(&self.folder, self.next)?;
            self.length = 0;
            let all = segments(&self.folder)?;
            let surplus = all.len().saturating_sub(self.limits.segments);
            for (_, path) in &all[..surplus] {
                fs::remove_file(path)?;
            }
        }
        if let Err(error) = self.file.write_all(lines) {
            // Half a line would be taken for the beginning of the next one.
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += lines.len() as u64;
        self.next += count;
        Ok(())
    }
}

fn create(folder: &Path, first: u64) -> io::Result<File> {
    let path = folder.join(format!("{first:020}.{EXTENSION}"));
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}
