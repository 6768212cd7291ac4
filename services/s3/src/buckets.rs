//! The seam between rows and the objects plane.

use crate::Error;
use escale_base::{AwsError, Timestamp};
use escale_objects::{self as plane, Objects};
use escale_service::StreamCx;
use escale_store::{Image, Store, StoreError};
use escale_tables::s3::{Bucket, Versioning};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// The plane, and how far its buckets are known to be what the rows say.
pub struct Buckets {
    pub(crate) objects: Arc<dyn Objects>,
    /// What this process brought about. Lost at a restart, and then found out again.
    applied: Mutex<HashMap<String, (Timestamp, Versioning)>>,
    /// Held while a bucket of the plane is made, changed or removed: one that is being removed must not be made
    /// again by a put that still saw its row.
    changing: tokio::sync::Mutex<()>,
}

impl Buckets {
    pub(crate) fn new(objects: Arc<dyn Objects>) -> Buckets {
        Buckets { objects, applied: Mutex::default(), changing: tokio::sync::Mutex::default() }
    }

    /// The bucket's row, once the plane has the bucket in that form.
    pub(crate) async fn ready(
        &self,
        cx: &StreamCx,
        name: &str,
        expected_owner: Option<&str>,
    ) -> Result<Arc<Bucket>, Error> {
        if expected_owner.is_some_and(|owner| owner != cx.config.account) {
            return Err(Error::Denied);
        }
        let row = row(&cx.store.read(), name)?;
        if self.is_applied(&row) {
            return Ok(row);
        }
        let _changing = self.changing.lock().await;
        let row = self::row(&cx.store.read(), name)?;
        if !self.is_applied(&row) {
            let stands = match self.objects.create_bucket(name).await {
                Ok(made) => made,
                Err(plane::Error::BucketExists(_)) => self.objects.bucket(name).await?,
                Err(error) => return Err(error.into()),
            };
            let wanted = match row.versioning {
                Versioning::Off => plane::Versioning::Off,
                Versioning::Enabled => plane::Versioning::Enabled,
                Versioning::Suspended => plane::Versioning::Suspended,
            };
            if stands.versioning != wanted {
                self.objects.set_versioning(name, wanted).await?;
            }
            self.known().insert(name.to_owned(), (row.created, row.versioning));
        }
        Ok(row)
    }

    /// Removes the bucket, row and all, if it is empty.
    pub(crate) async fn remove(&self, store: &Store, name: &str) -> Result<(), Error> {
        let _changing = self.changing.lock().await;
        row(&store.read(), name)?;
        self.known().remove(name);
        match self.objects.delete_bucket(name).await {
            // Never used: the plane has not heard of it.
            Ok(()) | Err(plane::Error::NoSuchBucket(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let gone = store.write(|tx| {
            tx.delete::<Bucket>(name);
            tx.delete::<escale_tables::s3::BucketSeen>(name);
            Ok::<_, StoreError>(())
        });
        gone.map_err(|error| {
            tracing::error!(%error, bucket = name, "a bucket is deleted, but its row is not");
            AwsError::internal().into()
        })
    }

    fn is_applied(&self, row: &Bucket) -> bool {
        self.known().get(&row.name) == Some(&(row.created, row.versioning))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Timestamp, Versioning)>> {
        // No code that could panic runs under this lock.
        self.applied.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The row of a bucket.
pub(crate) fn row(image: &Image, name: &str) -> Result<Arc<Bucket>, Error> {
    image.get::<Bucket>(name).ok_or_else(|| Error::NoSuchBucket(name.to_owned()))
}
