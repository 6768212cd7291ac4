//! The list of a folder's series: a line of JSON each, with the number that names its files.

use crate::{Series, ring};
use escale_base::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

const NAME: &str = "series";

#[derive(Serialize, Deserialize)]
struct Line {
    id: u64,
    #[serde(flatten)]
    series: Series,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) id: u64,
    pub(crate) written: Timestamp,
}

pub(crate) struct Index {
    folder: PathBuf,
    pub(crate) series: BTreeMap<Series, Known>,
    next: u64,
}

impl Index {
    pub(crate) fn open(folder: &Path) -> io::Result<Index> {
        let text = match fs::read_to_string(folder.join(NAME)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let mut index = Index { folder: folder.to_owned(), series: BTreeMap::new(), next: 0 };
        // A line that a power failure truncated is dropped: its series begins anew.
        for line in text.lines().filter_map(|l| serde_json::from_str::<Line>(l).ok()) {
            index.next = index.next.max(line.id + 1);
            let written = written(&ring::slots_path(folder, line.id));
            index.series.insert(line.series, Known { id: line.id, written });
        }
        index.rewrite()?;
        Ok(index)
    }

    pub(crate) fn add(&mut self, series: Series, written: Timestamp) -> io::Result<u64> {
        let id = self.next;
        let mut line = serde_json::to_vec(&Line { id, series: series.clone() })?;
        line.push(b'\n');
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(self.folder.join(NAME));
        file?.write_all(&line)?;
        self.next += 1;
        self.series.insert(series, Known { id, written });
        Ok(id)
    }

    pub(crate) fn remove(&mut self, series: &Series) -> io::Result<()> {
        let Some(known) = self.series.remove(series) else { return Ok(()) };
        for path in [ring::slots_path(&self.folder, known.id), ring::spreads_path(&self.folder, known.id)] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.rewrite()
    }

    fn rewrite(&self) -> io::Result<()> {
        let mut text = Vec::new();
        for (series, known) in &self.series {
            serde_json::to_writer(&mut text, &Line { id: known.id, series: series.clone() })?;
            text.push(b'\n');
        }
        let new = self.folder.join("series.new");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600).open(&new)?.write_all(&text)?;
        fs::rename(new, self.folder.join(NAME))
    }
}

/// When the file was last written. Without one, the series has never had a value.
fn written(path: &Path) -> Timestamp {
    let modified = fs::metadata(path).and_then(|m| m.modified()).ok();
    let since = modified.and_then(|m| m.duration_since(std::time::UNIX_EPOCH).ok());
    Timestamp(since.map_or(0, |d| d.as_millis() as i64))
}
