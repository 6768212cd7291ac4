//! Expires images by the lifecycle policies of their repositories: when a policy is put, and then once a day.
//!
//! AWS promises to expire an image within 24 hours after it meets the criteria of a policy:
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html>

use crate::lifecycle::{self, Candidate, Policy};
use escale_base::Timestamp;
use escale_engine::{Plan, Reconciler, StepError};
use escale_registry::{self as plane, Digest, Reference, Registry};
use escale_store::{Change, Image, Store};
use escale_tables::ecr::{Deletion, LifecyclePolicy, LifecycleSeen, Repository};
use std::{collections::BTreeSet, sync::Arc};

const EVERY_MS: i64 = 24 * 3_600_000;

pub(super) struct Lifecycle {
    pub(super) store: Store,
    pub(super) registry: Arc<dyn Registry>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Evaluate {
    policy: LifecyclePolicy,
    now: Timestamp,
}

impl Reconciler for Lifecycle {
    type Step = Evaluate;
    const NAME: &'static str = "ecr lifecycle policies";
    const WATCHES: &'static [&'static str] = &["ecr_repository"];

    fn concerned(&self, image: &Image, change: &Change) -> BTreeSet<String> {
        let row = image.get::<Repository>(&change.key).filter(|r| r.lifecycle.is_some());
        row.map(|r| r.name.to_string()).into_iter().collect()
    }

    fn all(&self, image: &Image) -> BTreeSet<String> {
        let rows = image.scan::<Repository>().filter(|r| r.lifecycle.is_some());
        rows.map(|r| r.name.to_string()).collect()
    }

    fn plan(&self, image: &Image, key: &str, now: Timestamp) -> Plan<Evaluate> {
        let row = image.get::<Repository>(key).filter(|r| r.deletion == Deletion::No);
        let Some(policy) = row.and_then(|r| r.lifecycle.clone()) else { return Plan::Done };
        let seen = image.get::<LifecycleSeen>(key).filter(|seen| seen.put == policy.put);
        match seen.map(|seen| seen.at.plus_ms(EVERY_MS)).filter(|next| now < *next) {
            Some(next) => {
                Plan::wait_until(next, "the next evaluation of the lifecycle policy is not due yet")
            }
            None => Plan::Step(Evaluate { policy, now }),
        }
    }

    async fn act(&self, key: &str, step: Evaluate) -> Result<(), StepError> {
        let policy = Policy::parse(&step.policy.text);
        let policy = policy.map_err(|e| StepError::new(format!("the lifecycle policy of {key}: {e}")))?;
        self.expire(key, &policy, step.now)
            .await
            .map_err(|e| StepError::new(format!("cannot expire images of the repository {key}: {e}")))?;
        let seen = LifecycleSeen { name: key.into(), put: step.policy.put, at: step.now };
        self.store.write(|tx| {
            // The repository may be deleted by now.
            if tx.has::<Repository>(key) {
                tx.put(seen);
            }
            Ok::<_, StepError>(())
        })
    }
}

impl Lifecycle {
    async fn expire(&self, repository: &str, policy: &Policy, now: Timestamp) -> Result<(), plane::Error> {
        let images = match self.registry.images(repository).await {
            // The plane does not know a repository that was never used.
            Err(plane::Error::NoSuchRepository(_)) => return Ok(()),
            images => images?,
        };
        let mut candidates = Vec::new();
        for image in images {
            let parts = self.parts(repository, &image).await?;
            let plane::Image { digest, tags, pushed, subject, .. } = image;
            candidates.push(Candidate { digest, tags, pushed, subject, parts });
        }
        for digest in lifecycle::expired(policy, &candidates, now) {
            tracing::info!(repository, %digest, "an image expired by the lifecycle policy");
            match self.registry.delete_image(repository, &Reference::Digest(digest)).await {
                Ok(()) | Err(plane::Error::NoSuchImage { .. } | plane::Error::NoSuchRepository(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The images that an index refers to.
    async fn parts(&self, repository: &str, image: &plane::Image) -> Result<Vec<Digest>, plane::Error> {
        if !image.media_type.contains("index") && !image.media_type.contains("manifest.list") {
            return Ok(Vec::new());
        }
        let manifest =
            match self.registry.manifest(repository, &Reference::Digest(image.digest.clone())).await {
                // It was deleted since the list was read.
                Err(plane::Error::NoSuchImage { .. }) => return Ok(Vec::new()),
                manifest => manifest?,
            };
        let tree: serde_json::Value = serde_json::from_slice(&manifest.bytes).unwrap_or_default();
        let parts = tree["manifests"].as_array().into_iter().flatten();
        Ok(parts.filter_map(|part| part["digest"].as_str()?.parse().ok()).collect())
    }
}
