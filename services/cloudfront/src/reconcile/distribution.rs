//! Configures the cdn plane for each distribution according to its rows.

use super::spec;
use escale_base::{Clock, PlaneError, Timestamp};
use escale_cdn::{Cdn, DistributionSpec};
use escale_engine::{Plan, Reconciler, StepError};
use escale_store::{Change, Image, Store, StoreError};
use escale_tables::Fingerprint;
use escale_tables::cloudfront::{Distribution, DistributionSeen, ETag};
use std::{collections::BTreeSet, sync::Arc};

/// A step of the reconciler.
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    Apply {
        spec: Box<DistributionSpec>,
        etag: ETag,
        fingerprint: Fingerprint,
    },
    /// The distribution is disabled: the edge stops serving it.
    Withdraw {
        etag: ETag,
    },
    /// The distribution is deleted.
    Remove,
}

pub(crate) struct Distributions {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) cdn: Arc<dyn Cdn>,
}

impl Distributions {
    fn record(
        &self,
        id: &str,
        etag: ETag,
        result: Result<Option<Fingerprint>, &PlaneError>,
    ) -> Result<(), StoreError> {
        let at = self.clock.now();
        self.store.write(|tx| {
            let before = tx.get::<DistributionSeen>(id);
            let row = match result {
                Ok(applied) => DistributionSeen { id: id.into(), etag: Some(etag), applied, fault: None, at },
                // The plane still serves the previous specification.
                Err(e) => DistributionSeen {
                    id: id.into(),
                    etag: before.as_ref().and_then(|b| b.etag.clone()),
                    applied: before.as_ref().and_then(|b| b.applied.clone()),
                    fault: Some(e.to_string()),
                    at,
                },
            };
            tx.put(row);
            Ok(())
        })
    }
}

impl Reconciler for Distributions {
    type Step = Step;
    const NAME: &'static str = "cloudfront-distribution";
    // Without cloudfront_distribution_seen: only `act` writes it, and recording a failure must not trigger the retry at once.
    const WATCHES: &'static [&'static str] = &[
        "acm_certificate",
        "acm_certificate_seen",
        "cloudfront_cache_policy",
        "cloudfront_distribution",
        "cloudfront_edge_certificate",
        "cloudfront_key_group",
        "cloudfront_origin_access_control",
        "cloudfront_origin_request_policy",
        "cloudfront_public_key",
        "cloudfront_response_headers_policy",
    ];

    fn concerned(&self, image: &Image, change: &Change) -> BTreeSet<String> {
        match change.table {
            // The key of the edge's certificate is the distribution's.
            "cloudfront_distribution" | "cloudfront_edge_certificate" => BTreeSet::from([change.key.clone()]),
            // The key of a policy, certificate, key group, public key or access control does not name the distributions that use it.
            _ => self.all(image),
        }
    }

    fn all(&self, image: &Image) -> BTreeSet<String> {
        // The plane may serve a distribution that was deleted while no daemon ran.
        let served = image.scan::<DistributionSeen>().map(|seen| seen.id.to_string());
        image.scan::<Distribution>().map(|d| d.id.to_string()).chain(served).collect()
    }

    fn plan(&self, image: &Image, key: &str, _now: Timestamp) -> Plan<Step> {
        let seen = image.get::<DistributionSeen>(key);
        let Some(row) = image.get::<Distribution>(key) else {
            return if seen.is_some() { Plan::Step(Step::Remove) } else { Plan::Done };
        };
        let is_applied = |fingerprint: Option<&Fingerprint>| {
            seen.as_ref().is_some_and(|s| {
                s.fault.is_none() && s.etag.as_ref() == Some(&row.etag) && s.applied.as_ref() == fingerprint
            })
        };
        if !row.config.enabled {
            return if is_applied(None) {
                Plan::Done
            } else {
                Plan::Step(Step::Withdraw { etag: row.etag.clone() })
            };
        }
        // The fingerprint also covers the key groups and access controls, whose changes do not change the ETag.
        let spec = spec::of(image, &row);
        let fingerprint = spec::fingerprint(&spec);
        if is_applied(Some(&fingerprint)) {
            Plan::Done
        } else {
            Plan::Step(Step::Apply { spec: Box::new(spec), etag: row.etag.clone(), fingerprint })
        }
    }

    async fn act(&self, key: &str, step: Step) -> Result<(), StepError> {
        match step {
            Step::Apply { spec, etag, fingerprint } => {
                // Recorded in either case: a resource of a stack shows the failure while it waits.
                let result = self.cdn.apply(*spec).await;
                self.record(key, etag, result.as_ref().map(|()| Some(fingerprint)))?;
                Ok(result?)
            }
            Step::Withdraw { etag } => {
                self.cdn.remove(key).await?;
                Ok(self.record(key, etag, Ok(None))?)
            }
            Step::Remove => {
                // The row goes last: a crash before it leads to another removal.
                self.cdn.remove(key).await?;
                self.store.write(|tx| {
                    tx.delete::<DistributionSeen>(key);
                    Ok::<(), StoreError>(())
                })?;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
