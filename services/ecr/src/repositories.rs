//! Connects the rows of repositories to the registry plane.

use crate::Error;
use escale_base::{AwsError, Timestamp};
use escale_registry::{self as plane, Registry, RepositorySpec};
use escale_store::{Image, Store, StoreError};
use escale_tables::ecr::{LifecycleSeen, Repository, RepositoryName, RepositorySeen};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The plane, and which of its repositories are known to agree with their rows.
pub struct Repositories {
    pub(crate) registry: Arc<dyn Registry>,
    /// What this process has applied, by name: the row's creation time, and whether tags are immutable. Empty after a restart.
    applied: Mutex<HashMap<RepositoryName, (Timestamp, bool)>>,
    /// Held while a repository of the plane is created, changed or removed. Otherwise a push that has read the row before its
    /// removal could create the repository again.
    changing: tokio::sync::Mutex<()>,
}

impl Repositories {
    pub(crate) fn new(registry: Arc<dyn Registry>) -> Repositories {
        Repositories { registry, applied: Mutex::default(), changing: tokio::sync::Mutex::default() }
    }

    /// Brings the plane's repository in line with its row, and returns the row.
    pub(crate) async fn ready(
        &self,
        store: &Store,
        account: &str,
        name: &RepositoryName,
    ) -> Result<Arc<Repository>, Error> {
        let row = row(&store.read(), account, name)?;
        if self.is_applied(&row) {
            return Ok(row);
        }
        let _changing = self.changing.lock().await;
        // Read again: the row may have changed while this call waited for the lock.
        let row = self::row(&store.read(), account, name)?;
        if !self.is_applied(&row) {
            let spec = RepositorySpec { immutable_tags: row.immutable_tags };
            match self.registry.create_repository(name, spec).await {
                Ok(()) => {}
                Err(plane::Error::RepositoryExists(_)) => self.registry.set_repository(name, spec).await?,
                Err(error) => return Err(error.into()),
            }
            self.applied().insert(name.clone(), (row.created, row.immutable_tags));
        }
        Ok(row)
    }

    /// Removes the repository and its row. With `force` it may contain images.
    pub(crate) async fn remove(
        &self,
        store: &Store,
        account: &str,
        name: &RepositoryName,
        force: bool,
    ) -> Result<Arc<Repository>, Error> {
        let _changing = self.changing.lock().await;
        let row = row(&store.read(), account, name)?;
        let images = match self.registry.images(name).await {
            // The repository was never used, so the plane does not have it.
            Err(plane::Error::NoSuchRepository(_)) => Vec::new(),
            found => found?,
        };
        if !images.is_empty() && !force {
            return Err(Error::NotEmpty { name: name.clone(), account: account.to_owned() });
        }
        // The plane's repository goes before the row: after a crash in between, the removal can be repeated.
        self.applied().remove(name);
        match self.registry.delete_repository(name).await {
            Ok(()) | Err(plane::Error::NoSuchRepository(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let gone = store.write(|tx| {
            tx.delete::<Repository>(name);
            tx.delete::<RepositorySeen>(name);
            tx.delete::<LifecycleSeen>(name);
            Ok::<_, StoreError>(())
        });
        gone.map_err(|error| {
            tracing::error!(%error, repository = name.as_str(), "a repository was deleted, but its row could not be removed");
            AwsError::internal()
        })?;
        Ok(row)
    }

    fn is_applied(&self, row: &Repository) -> bool {
        self.applied().get(&row.name) == Some(&(row.created, row.immutable_tags))
    }

    fn applied(&self) -> MutexGuard<'_, HashMap<RepositoryName, (Timestamp, bool)>> {
        // No code that could panic runs under this lock.
        self.applied.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The row of a repository.
pub(crate) fn row(image: &Image, account: &str, name: &RepositoryName) -> Result<Arc<Repository>, Error> {
    let missing = || Error::NoSuchRepository { name: name.clone(), account: account.to_owned() };
    image.get::<Repository>(name).ok_or_else(missing)
}
