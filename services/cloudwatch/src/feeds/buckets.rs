//! Sizes of buckets, once a day.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/metrics-dimensions.html>

use super::batch::{Batch, Name};
use crate::choices::StandardUnit;
use escale_base::PlaneError;
use escale_metrics::Summary;
use escale_objects::{ListVersions, Objects};
use escale_store::Store;
use escale_tables::s3::Bucket;

pub(super) async fn read(store: &Store, objects: &dyn Objects, batch: &mut Batch) {
    let buckets: Vec<String> = store.read().scan::<Bucket>().map(|b| b.name.to_string()).collect();
    for bucket in buckets {
        let Ok((bytes, count)) = size(objects, &bucket).await else { continue };
        let day = batch.pass.minute * 1440;
        let mut report = |name, unit, storage, value| {
            let labels: &[(&str, &str)] = &[("BucketName", &bucket), ("StorageType", storage)];
            let name = Name { space: "AWS/S3", name, unit };
            batch.add(name, &[labels], &Summary::of(value), day, false);
        };
        report("BucketSizeBytes", StandardUnit::Bytes, "StandardStorage", bytes);
        report("NumberOfObjects", StandardUnit::Count, "AllStorageTypes", count);
    }
}

/// All versions count, as on AWS, and delete markers count as objects.
async fn size(objects: &dyn Objects, bucket: &str) -> Result<(f64, f64), PlaneError> {
    let (mut bytes, mut count) = (0.0, 0.0);
    let mut spec = ListVersions::default();
    loop {
        let page =
            objects.list_versions(bucket, &spec).await.map_err(|e| PlaneError::plane(e.to_string()))?;
        for entry in &page.entries {
            bytes += entry.size_bytes as f64;
            count += 1.0;
        }
        match page.next {
            Some(next) => spec.after = Some(next),
            None => return Ok((bytes, count)),
        }
    }
}
