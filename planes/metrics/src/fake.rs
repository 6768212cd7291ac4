//! Metrics in memory, for tests.

use crate::{Datum, Listed, Metrics, Point, RINGS, Series, Summary, Window, ring_for, steps};
use async_trait::async_trait;
use escale_base::{PlaneError, Timestamp};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

#[derive(Default)]
pub struct Fake(Mutex<BTreeMap<Series, Kept>>);

#[derive(Default)]
struct Kept {
    written: Timestamp,
    /// By the slot's start.
    rings: [BTreeMap<i64, Summary>; 4],
}

#[async_trait]
impl Metrics for Fake {
    async fn put(&self, data: Vec<Datum>, now: Timestamp) -> Result<(), PlaneError> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for datum in data {
            let kept = all.entry(datum.series).or_default();
            kept.written = kept.written.max(now);
            for (ring, r) in RINGS.iter().enumerate().skip(usize::from(!datum.fine)) {
                let start = datum.at.secs().div_euclid(r.step_secs) * r.step_secs;
                let slots = &mut kept.rings[ring];
                let apart = r.slots * r.step_secs;
                let same_slot = |other: &i64| (other - start).rem_euclid(apart) == 0 && *other != start;
                if slots.keys().any(|other| same_slot(other) && *other > start) {
                    continue;
                }
                slots.retain(|other, _| !same_slot(other));
                match slots.get_mut(&start) {
                    Some(old) => old.add(&datum.summary),
                    None => drop(slots.insert(start, datum.summary.clone())),
                }
            }
        }
        Ok(())
    }

    async fn read(&self, series: &Series, window: Window) -> Result<Vec<Point>, PlaneError> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(kept) = all.get(series) else { return Ok(Vec::new()) };
        let slots = &kept.rings[ring_for(window)];
        Ok(steps(window, slots.iter().map(|(start, summary)| (*start, summary.clone()))))
    }

    async fn list(&self) -> Result<Vec<Listed>, PlaneError> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(all.iter().map(|(s, kept)| Listed { series: s.clone(), written: kept.written }).collect())
    }
}
