//! Applies lifecycle configurations: when one is put, and then after each midnight (UTC), as S3 does.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-expire-general-considerations.html>

use crate::{
    Buckets, Error,
    lifecycle::{self, Removal, Version},
};
use escale_base::Timestamp;
use escale_engine::{Plan, Reconciler, StepError};
use escale_objects::{
    self as plane, Condition, Delete, Entry, ListUploads, ListVersions, UploadAt, VersionListing,
};
use escale_store::{Change, Image, Store};
use escale_tables::s3::{Bucket, BucketName, Lifecycle, LifecycleRule, LifecycleSeen};
use std::{collections::BTreeSet, sync::Arc};

pub(super) struct Lifecycles {
    pub(super) store: Store,
    pub(super) buckets: Arc<Buckets>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Apply {
    lifecycle: Lifecycle,
    now: Timestamp,
}

impl Reconciler for Lifecycles {
    type Step = Apply;
    const NAME: &'static str = "s3 lifecycles";
    const WATCHES: &'static [&'static str] = &["s3_bucket"];

    fn concerned(&self, image: &Image, change: &Change) -> BTreeSet<String> {
        let row = image.get::<Bucket>(&change.key).filter(|b| b.lifecycle.is_some());
        row.map(|b| b.name.to_string()).into_iter().collect()
    }

    fn all(&self, image: &Image) -> BTreeSet<String> {
        image.scan::<Bucket>().filter(|b| b.lifecycle.is_some()).map(|b| b.name.to_string()).collect()
    }

    fn plan(&self, image: &Image, key: &str, now: Timestamp) -> Plan<Apply> {
        let row = image.get::<Bucket>(key).filter(|b| !b.deleting);
        let Some(lifecycle) = row.and_then(|b| b.lifecycle.clone()) else { return Plan::Done };
        let seen = image.get::<LifecycleSeen>(key).filter(|seen| seen.put == lifecycle.put);
        match seen.map(|seen| lifecycle::next_midnight(seen.at)).filter(|next| now < *next) {
            Some(next) => Plan::wait_until(next, "the lifecycle configuration is applied at midnight"),
            None => Plan::Step(Apply { lifecycle, now }),
        }
    }

    async fn act(&self, key: &str, step: Apply) -> Result<(), StepError> {
        let name = BucketName::from(key);
        match self.apply(&name, &step.lifecycle.rules, step.now).await {
            Ok(()) => {}
            // It was deleted meanwhile.
            Err(Error::NoSuchBucket(_) | Error::Plane(plane::Error::NoSuchBucket(_))) => return Ok(()),
            Err(error) => {
                let what = format!("cannot apply the lifecycle configuration of the bucket {key}: {error}");
                return Err(StepError::new(what));
            }
        }
        let seen = LifecycleSeen { name, put: step.lifecycle.put, at: step.now };
        self.store.write(|tx| {
            if tx.has::<Bucket>(key) {
                tx.put(seen);
            }
            Ok::<_, StepError>(())
        })
    }
}

impl Lifecycles {
    async fn apply(&self, bucket: &BucketName, rules: &[LifecycleRule], now: Timestamp) -> Result<(), Error> {
        // The plane must know the bucket's versioning, or an expired object would leave no delete marker.
        self.buckets.apply(&self.store, bucket).await?;
        self.remove_versions(bucket, rules, now).await?;
        self.abort_uploads(bucket, rules, now).await
    }

    async fn remove_versions(
        &self,
        bucket: &BucketName,
        rules: &[LifecycleRule],
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut scan = Scan::default();
        let mut page = self.page(bucket, None).await?;
        loop {
            // Before anything of this page is removed: the position of the next one is a version of this page.
            let next = match page.next.take() {
                Some(after) => Some(self.page(bucket, Some(after)).await?),
                None => None,
            };
            let following = next.as_ref().and_then(|next| next.entries.first());
            for (at, entry) in page.entries.iter().enumerate() {
                let older = page.entries.get(at + 1).or(following);
                let version = scan.version(entry, older);
                self.remove_if_due(bucket, rules, version, now).await?;
            }
            match next {
                Some(next) => page = next,
                None => return Ok(()),
            }
        }
    }

    async fn page(
        &self,
        bucket: &BucketName,
        after: Option<(String, Option<plane::VersionId>)>,
    ) -> Result<VersionListing, Error> {
        let spec = ListVersions { after, ..ListVersions::default() };
        Ok(self.buckets.objects.list_versions(bucket, &spec).await?)
    }

    async fn remove_if_due(
        &self,
        bucket: &BucketName,
        rules: &[LifecycleRule],
        version: Version<'_>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let Some(mut removal) = lifecycle::removal(rules, version, now) else { return Ok(()) };
        let (objects, entry) = (&self.buckets.objects, version.entry);
        if lifecycle::needs_tags(rules) && !entry.is_delete_marker {
            let head = match objects.head(bucket, &entry.key, Some(&entry.version)).await {
                Err(plane::Error::NoSuchKey { .. } | plane::Error::NoSuchVersion { .. }) => return Ok(()),
                head => head?,
            };
            match lifecycle::removal(rules, Version { tags: Some(&head.tags), ..version }, now) {
                Some(decided) => removal = decided,
                None => return Ok(()),
            }
        }
        let spec = match removal {
            Removal::Version => Delete { version: Some(entry.version.clone()), condition: Condition::None },
            // An object that was put meanwhile has not expired.
            Removal::Current => Delete { version: None, condition: Condition::Etag(entry.etag.clone()) },
        };
        match objects.delete(bucket, &entry.key, spec).await {
            Ok(_) | Err(plane::Error::PreconditionFailed { .. } | plane::Error::NoSuchKey { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn abort_uploads(
        &self,
        bucket: &BucketName,
        rules: &[LifecycleRule],
        now: Timestamp,
    ) -> Result<(), Error> {
        let objects = &self.buckets.objects;
        let mut after = None;
        loop {
            let page = objects.list_uploads(bucket, &ListUploads { after, ..ListUploads::default() }).await?;
            let due = page.uploads.iter().filter(|upload| lifecycle::aborts(rules, upload, now));
            for upload in due {
                let at =
                    UploadAt { bucket: bucket.to_string(), key: upload.key.clone(), id: upload.id.clone() };
                match objects.abort_upload(&at).await {
                    Ok(()) | Err(plane::Error::NoSuchUpload { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }
}

/// The position in a list of versions, where those of one key follow each other, the newest first.
#[derive(Default)]
struct Scan {
    key: String,
    /// When the version before this one was put.
    newer: Option<Timestamp>,
    noncurrent: usize,
}

impl Scan {
    fn version<'a>(&mut self, entry: &'a Entry, older: Option<&Entry>) -> Version<'a> {
        if entry.is_latest || entry.key != self.key {
            *self = Scan { key: entry.key.clone(), ..Scan::default() };
        }
        let replaced = self.newer.filter(|_| !entry.is_latest);
        let newer = self.noncurrent;
        self.noncurrent += usize::from(replaced.is_some());
        self.newer = Some(entry.modified);
        let alone = entry.is_latest && older.is_none_or(|older| older.key != entry.key);
        Version { entry, tags: None, replaced, newer, alone }
    }
}

#[cfg(test)]
mod tests;
