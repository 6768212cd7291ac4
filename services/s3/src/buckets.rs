//! Keeps the buckets of the objects plane in line with the rows.

use crate::Error;
use escale_base::{AwsError, Timestamp};
use escale_objects::{self as plane, Objects};
use escale_service::StreamCx;
use escale_store::{Image, Store, StoreError};
use escale_tables::s3::{Bucket, BucketName, Versioning};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// The objects plane, and which of its buckets are known to match their rows.
pub struct Buckets {
    pub(crate) objects: Arc<dyn Objects>,
    /// The rows that this process has applied to the plane. Lost at a restart; `ready` then applies them again.
    applied: Mutex<HashMap<BucketName, (Timestamp, Versioning)>>,
    /// Held while a bucket of the plane is created, changed or removed. Otherwise a put that has read the row could create a
    /// bucket again that is being removed.
    changing: tokio::sync::Mutex<()>,
}

impl Buckets {
    pub(crate) fn new(objects: Arc<dyn Objects>) -> Buckets {
        Buckets { objects, applied: Mutex::default(), changing: tokio::sync::Mutex::default() }
    }

    /// As [`Buckets::apply`], for a request.
    pub(crate) async fn ready(
        &self,
        cx: &StreamCx,
        name: &BucketName,
        expected_owner: Option<&str>,
    ) -> Result<Arc<Bucket>, Error> {
        if expected_owner.is_some_and(|owner| owner != cx.config.account) {
            return Err(Error::Denied);
        }
        self.apply(&cx.store, name).await
    }

    /// Applies the bucket's row to the plane, unless it is applied already; returns the row.
    pub(crate) async fn apply(&self, store: &Store, name: &BucketName) -> Result<Arc<Bucket>, Error> {
        let row = row(&store.read(), name)?;
        if self.is_applied(&row) {
            return Ok(row);
        }
        let _changing = self.changing.lock().await;
        // Read again: the bucket may have changed or be gone since this request waits for the lock.
        let row = self::row(&store.read(), name)?;
        if !self.is_applied(&row) {
            let existing = match self.objects.create_bucket(name).await {
                Ok(created) => created,
                // An earlier process has created it, or its versioning changes.
                Err(plane::Error::BucketExists(_)) => self.objects.bucket(name).await?,
                Err(error) => return Err(error.into()),
            };
            let desired = match row.versioning {
                Versioning::Off => plane::Versioning::Off,
                Versioning::Enabled => plane::Versioning::Enabled,
                Versioning::Suspended => plane::Versioning::Suspended,
            };
            if existing.versioning != desired {
                self.objects.set_versioning(name, desired).await?;
            }
            self.known().insert(name.clone(), (row.created, row.versioning));
        }
        Ok(row)
    }

    /// Deletes the bucket in the plane, if it is empty, and then its row.
    pub(crate) async fn remove(&self, store: &Store, name: &BucketName) -> Result<(), Error> {
        let _changing = self.changing.lock().await;
        row(&store.read(), name)?;
        // First: if the row cannot be deleted below, `ready` must create the plane's bucket again.
        self.known().remove(name);
        match self.objects.delete_bucket(name).await {
            // The plane does not know a bucket that was never used.
            Ok(()) | Err(plane::Error::NoSuchBucket(_)) => {}
            Err(error) => return Err(error.into()),
        }
        // The row comes last: a crash in between leaves an empty bucket, which can be deleted again.
        let deleted = store.write(|tx| {
            tx.delete::<Bucket>(name);
            tx.delete::<escale_tables::s3::BucketSeen>(name);
            tx.delete::<escale_tables::s3::LifecycleSeen>(name);
            Ok::<_, StoreError>(())
        });
        deleted.map_err(|error| {
            tracing::error!(%error, bucket = name.as_str(), "the bucket was deleted, but its row could not be removed");
            AwsError::internal().into()
        })
    }

    fn is_applied(&self, row: &Bucket) -> bool {
        self.known().get(&row.name) == Some(&(row.created, row.versioning))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<BucketName, (Timestamp, Versioning)>> {
        // No code that can panic runs under this lock, so a poisoned lock has consistent data.
        self.applied.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The row of a bucket.
pub(crate) fn row(image: &Image, name: &BucketName) -> Result<Arc<Bucket>, Error> {
    image.get::<Bucket>(name).ok_or_else(|| Error::NoSuchBucket(name.clone()))
}
