//! The plane for simulations: it stores specs and serves no requests.

use crate::{
    Cdn, Counts, DistributionSpec, Visit,
    check::{check, check_invalidation},
};
use async_trait::async_trait;
use escale_base::PlaneError;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

#[derive(Default)]
pub struct FakeCdn(Mutex<State>);

#[derive(Default)]
struct State {
    distributions: BTreeMap<String, DistributionSpec>,
    invalidated: Vec<(String, String)>,
    fail_next: Option<PlaneError>,
}

impl FakeCdn {
    /// The next `apply` or `invalidate` changes nothing and returns this error.
    pub fn fail_next(&self, error: PlaneError) {
        self.lock().fail_next = Some(error);
    }

    pub fn spec(&self, id: &str) -> Option<DistributionSpec> {
        self.lock().distributions.get(id).cloned()
    }

    /// Distribution and path of all invalidations, in order.
    pub fn invalidated(&self) -> Vec<(String, String)> {
        self.lock().invalidated.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Cdn for FakeCdn {
    async fn apply(&self, spec: DistributionSpec) -> Result<(), PlaneError> {
        check(&spec)?;
        let mut all = self.lock();
        if let Some(error) = all.fail_next.take() {
            return Err(error);
        }
        let others = all.distributions.values().filter(|d| d.id != spec.id);
        crate::edge::check_hosts(&spec, others)?;
        all.distributions.insert(spec.id.clone(), spec);
        Ok(())
    }

    async fn remove(&self, id: &str) -> Result<(), PlaneError> {
        self.lock().distributions.remove(id);
        Ok(())
    }

    /// Nothing is cached, so no entry is dropped.
    async fn invalidate(&self, id: &str, paths: &[String]) -> Result<usize, PlaneError> {
        paths.iter().try_for_each(|p| check_invalidation(p))?;
        let mut all = self.lock();
        if let Some(error) = all.fail_next.take() {
            return Err(error);
        }
        if !all.distributions.contains_key(id) {
            return Err(crate::edge::no_such(id));
        }
        all.invalidated.extend(paths.iter().map(|p| (id.to_owned(), p.clone())));
        Ok(0)
    }

    /// It serves no requests.
    async fn take_log(&self, _most: usize) -> Result<Vec<Visit>, PlaneError> {
        Ok(Vec::new())
    }

    fn ids(&self) -> Vec<String> {
        self.lock().distributions.keys().cloned().collect()
    }

    async fn counts(&self, id: &str) -> Result<Option<Counts>, PlaneError> {
        Ok(self.lock().distributions.get(id).map(|_| Counts::default()))
    }
}
