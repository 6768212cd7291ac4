//! Executes invalidations in the cdn plane.

use escale_base::{Clock, Timestamp};
use escale_cdn::Cdn;
use escale_engine::{Plan, Reconciler, StepError};
use escale_store::{Change, Image, Store, StoreError};
use escale_tables::cloudfront::{
    Distribution, DistributionId, DistributionSeen, Invalidation, InvalidationId, InvalidationSeen,
};
use std::{collections::BTreeSet, sync::Arc};

/// A step of the reconciler: one invalidation.
#[derive(Debug, PartialEq)]
pub(crate) struct Step {
    distribution: DistributionId,
    id: InvalidationId,
    /// Empty if the plane does not serve the distribution: it has no cached objects then.
    paths: Vec<String>,
}

pub(crate) struct Invalidations {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) cdn: Arc<dyn Cdn>,
}

impl Reconciler for Invalidations {
    type Step = Step;
    const NAME: &'static str = "cloudfront-invalidation";
    const WATCHES: &'static [&'static str] = &["cloudfront_invalidation", "cloudfront_distribution_seen"];

    fn concerned(&self, image: &Image, change: &Change) -> BTreeSet<String> {
        match change.table {
            "cloudfront_invalidation" => BTreeSet::from([change.key.clone()]),
            _ => {
                let prefix = format!("{}/", change.key);
                image.prefix::<Invalidation>(&prefix).map(|i| format!("{prefix}{}", i.id)).collect()
            }
        }
    }

    fn all(&self, image: &Image) -> BTreeSet<String> {
        image.scan::<Invalidation>().map(|i| Invalidation::key_of(&i.distribution, &i.id)).collect()
    }

    fn plan(&self, image: &Image, key: &str, _now: Timestamp) -> Plan<Step> {
        let Some(row) = image.get::<Invalidation>(key) else { return Plan::Done };
        if image.has::<InvalidationSeen>(key) {
            return Plan::Done;
        }
        let Some(seen) = image.get::<DistributionSeen>(&row.distribution) else {
            return Plan::wait(format!("the distribution {} is not served yet", row.distribution));
        };
        let enabled = image.get::<Distribution>(&row.distribution).is_some_and(|d| d.config.enabled);
        if seen.applied.is_none() && enabled {
            return Plan::wait(format!("the distribution {} is not served yet", row.distribution));
        }
        // A disabled distribution is not served: there is nothing to wait for.
        let paths = if seen.applied.is_some() { row.paths.clone() } else { Vec::new() };
        Plan::Step(Step { distribution: row.distribution.clone(), id: row.id.clone(), paths })
    }

    async fn act(&self, _key: &str, step: Step) -> Result<(), StepError> {
        let Step { distribution, id, paths } = step;
        if !paths.is_empty() {
            self.cdn.invalidate(&distribution, &paths).await?;
        }
        // Recorded last: a crash before it only repeats the invalidation.
        let at = self.clock.now();
        self.store.write(|tx| {
            tx.put(InvalidationSeen { distribution, id, at });
            Ok::<(), StoreError>(())
        })?;
        Ok(())
    }
}
