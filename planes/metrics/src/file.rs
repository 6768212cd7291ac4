//! Metrics in a folder: two files for each series, and their list.
//!
//! Values are written at once, into the kernel's cache: they survive the process, and reach the disk within half a minute.

use crate::{
    DISTRIBUTIONS, Datum, Listed, Metrics, Point, SERIES, Series, UNUSED_MS, Window,
    index::{Index, Known},
    ring::Files,
    ring_for, steps,
};
use async_trait::async_trait;
use escale_base::{PlaneError, Timestamp, error::Context};
use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The real plane.
#[derive(Clone)]
pub struct FileMetrics {
    folder: Arc<PathBuf>,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    index: Index,
    /// How many series have a file of distributions.
    distributions: usize,
}

impl FileMetrics {
    /// Opens or creates the metrics of a folder of their own.
    pub fn open(folder: &Path) -> Result<FileMetrics, PlaneError> {
        let what = || format!("open the metrics in {}", folder.display());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).machine(what)?;
        let index = Index::open(folder).machine(what)?;
        let has = |k: &&Known| crate::ring::spreads_path(folder, k.id).exists();
        let distributions = index.series.values().filter(has).count();
        let inner = Inner { index, distributions };
        Ok(FileMetrics { folder: Arc::new(folder.to_owned()), inner: Arc::new(Mutex::new(inner)) })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&FileMetrics) -> Result<T, PlaneError> + Send + 'static,
    ) -> Result<T, PlaneError> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || work(&this)).await.plane(|| what.to_owned())?
    }

    fn add(&self, datum: Datum, now: Timestamp) -> Result<(), PlaneError> {
        let mut inner = self.lock();
        let id = match inner.index.series.get_mut(&datum.series) {
            Some(known) => {
                known.written = known.written.max(now);
                known.id
            }
            None => {
                inner.make_room(&datum.series, now)?;
                inner.index.add(datum.series.clone(), now).machine(|| self.what("add a series to"))?
            }
        };
        let mut files = Files::open(&self.folder, id).machine(|| self.what("open a series of"))?;
        let varies = datum.summary.distribution.is_some();
        if varies && !files.has_distributions() && !is_constant(&files, &datum) {
            if inner.distributions < DISTRIBUTIONS {
                files.begin_distributions().machine(|| self.what("add a distribution to"))?;
                inner.distributions += 1;
            } else if inner.distributions == DISTRIBUTIONS {
                inner.distributions += 1;
                tracing::warn!(
                    most = DISTRIBUTIONS,
                    "no more metrics can have percentiles: so many have them already"
                );
            }
        }
        files.add(datum.at.secs(), datum.fine, &datum.summary).machine(|| self.what("write to"))
    }

    fn what(&self, what: &str) -> String {
        format!("{what} the metrics in {}", self.folder.display())
    }
}

/// Whether the minute of the datum has had no other value: then least and greatest value are the distribution. Most series of a
/// value each minute stay so in their minutes; their five minutes and hours get no percentiles before a second value.
fn is_constant(files: &Files, datum: &Datum) -> bool {
    let minute = datum.at.secs().div_euclid(60) * 60;
    let before = files.read(1, minute, minute).unwrap_or_default();
    let same = |s: &crate::Summary| s.min == datum.summary.min && s.max == datum.summary.max;
    datum.summary.min == datum.summary.max && before.iter().all(|(_, s)| same(s))
}

impl Inner {
    fn make_room(&mut self, wanted: &Series, now: Timestamp) -> Result<(), PlaneError> {
        if self.index.series.len() < SERIES {
            return Ok(());
        }
        let oldest = self.index.series.iter().min_by_key(|(_, known)| known.written);
        match oldest.map(|(series, known)| (series.clone(), known.written)) {
            Some((series, written)) if now.since_ms(written) > UNUSED_MS => {
                self.index.remove(&series).machine(|| "remove an unused series of metrics".into())
            }
            _ => Err(PlaneError::asked(format!(
                "the metric {}/{} cannot be added: {SERIES} metrics exist, the most, and all of them had values during the last \
                 day. Report fewer combinations of dimensions",
                wanted.space, wanted.name
            ))),
        }
    }
}

#[async_trait]
impl Metrics for FileMetrics {
    async fn put(&self, data: Vec<Datum>, now: Timestamp) -> Result<(), PlaneError> {
        let add = move |this: &FileMetrics| data.into_iter().try_for_each(|datum| this.add(datum, now));
        self.blocking("add values to metrics", add).await
    }

    async fn read(&self, series: &Series, window: Window) -> Result<Vec<Point>, PlaneError> {
        let series = series.clone();
        self.blocking("read metrics", move |this| {
            let inner = this.lock();
            let Some(known) = inner.index.series.get(&series) else { return Ok(Vec::new()) };
            let read = || -> io::Result<_> {
                Files::open(&this.folder, known.id)?.read(ring_for(window), window.from, window.until)
            };
            Ok(steps(window, read().machine(|| this.what("read"))?))
        })
        .await
    }

    async fn list(&self) -> Result<Vec<Listed>, PlaneError> {
        let inner = self.lock();
        let listed =
            |(series, known): (&Series, &Known)| Listed { series: series.clone(), written: known.written };
        Ok(inner.index.series.iter().map(listed).collect())
    }
}
