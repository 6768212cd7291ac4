//! Reconcilers of buckets. This one deletes the buckets whose rows are marked, for callers that cannot wait for the plane (CloudFormation). A bucket that is
//! not empty is kept, and a row records the reason.

mod lifecycle;

use crate::{AccessLogs, Buckets, Error, access_log};
use escale_base::{Clock, Timestamp};
use escale_engine::{Engine, Plan, Reconciler, StepError};
use escale_objects as plane;
use escale_service::Cloud;
use escale_store::{Change, Image, Store};
use escale_tables::s3::{Bucket, BucketSeen};
use std::{collections::BTreeSet, sync::Arc};

/// The objects plane as the service's operations use it: [`crate::S3::buckets`].
pub struct Planes {
    pub buckets: Arc<Buckets>,
    /// [`crate::S3::access_logs`].
    pub access_logs: Arc<AccessLogs>,
}

/// Starts the reconcilers, and the delivery of access logs.
pub fn start(engine: &mut Engine, store: &Store, cloud: &Arc<Cloud>, planes: Planes) {
    let (logs, own) = (planes.access_logs, Arc::clone(&planes.buckets));
    engine.run(access_log::deliver(logs, store.clone(), Arc::clone(cloud), own));
    let buckets = Arc::clone(&planes.buckets);
    engine.add(lifecycle::Lifecycles { store: store.clone(), buckets });
    engine.add(Removals { store: store.clone(), clock: cloud.clock.clone(), buckets: planes.buckets });
}

struct Removals {
    store: Store,
    clock: Clock,
    buckets: Arc<Buckets>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Remove;

impl Reconciler for Removals {
    type Step = Remove;
    const NAME: &'static str = "s3 buckets";
    const WATCHES: &'static [&'static str] = &["s3_bucket"];

    fn concerned(&self, image: &Image, change: &Change) -> BTreeSet<String> {
        image
            .get::<Bucket>(&change.key)
            .filter(|b| b.deleting)
            .map(|b| b.name.to_string())
            .into_iter()
            .collect()
    }

    fn all(&self, image: &Image) -> BTreeSet<String> {
        image.scan::<Bucket>().filter(|b| b.deleting).map(|b| b.name.to_string()).collect()
    }

    fn plan(&self, image: &Image, key: &str, _now: Timestamp) -> Plan<Remove> {
        plan(image, key)
    }

    async fn act(&self, key: &str, _: Remove) -> Result<(), StepError> {
        match self.buckets.remove(&self.store, &key.into()).await {
            // NoSuchBucket: DeleteBucket was faster.
            Ok(()) | Err(Error::NoSuchBucket(_)) => Ok(()),
            Err(Error::Plane(plane::Error::BucketNotEmpty(_))) => {
                let seen = BucketSeen {
                    name: key.into(),
                    not_deleted: "The bucket you tried to delete is not empty".into(),
                    at: self.clock.now(),
                };
                // Not an error of the step, which would be retried: as on AWS, the deletion fails and the bucket stays.
                self.store.write(|tx| {
                    tx.update::<Bucket, ()>(key, |b| b.deleting = false);
                    tx.put(seen);
                    Ok::<_, StepError>(())
                })
            }
            Err(other) => Err(StepError::new(format!("cannot delete the bucket {key}: {other}"))),
        }
    }
}

fn plan(image: &Image, key: &str) -> Plan<Remove> {
    match image.get::<Bucket>(key) {
        Some(row) if row.deleting => Plan::Step(Remove),
        _ => Plan::Done,
    }
}

#[cfg(test)]
mod tests;
