//! Has the certificates of distributions' own names issued, and renews them.

use crate::viewer;
use escale_authority::{Authority, KeyKind, Leaf, Purpose};
use escale_base::Timestamp;
use escale_engine::{Plan, Reconciler, StepError};
use escale_store::{Change, Image, Store, StoreError};
use escale_tables::{
    acm::Material,
    cloudfront::{Distribution, DistributionId, EdgeCertificate},
};
use std::{collections::BTreeSet, sync::Arc};

const DAY_MS: i64 = 24 * 3600 * 1000;
/// As ACM's certificates, and renewed as early.
const VALID_MS: i64 = 198 * DAY_MS;
const RENEW_BEFORE_MS: i64 = 45 * DAY_MS;

pub(crate) struct Certificates {
    pub(crate) store: Store,
    pub(crate) authority: Arc<dyn Authority>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Issue(Leaf),
    /// The distribution was deleted.
    Forget,
}

impl Reconciler for Certificates {
    type Step = Step;
    const NAME: &'static str = "cloudfront-certificate";
    const WATCHES: &'static [&'static str] = &["cloudfront_distribution"];

    fn concerned(&self, _image: &Image, change: &Change) -> BTreeSet<String> {
        BTreeSet::from([change.key.clone()])
    }

    fn all(&self, image: &Image) -> BTreeSet<String> {
        let rows = image.scan::<Distribution>().map(|row| row.id.to_string());
        rows.chain(image.scan::<EdgeCertificate>().map(|row| row.distribution.to_string())).collect()
    }

    fn plan(&self, image: &Image, key: &str, now: Timestamp) -> Plan<Step> {
        let issued = image.get::<EdgeCertificate>(key);
        let Some(row) = image.get::<Distribution>(key) else {
            return if issued.is_some() { Plan::Step(Step::Forget) } else { Plan::Done };
        };
        let names = viewer::own_names(&row);
        if let Some(issued) = issued.filter(|issued| issued.names == names) {
            let due = issued.material.not_after.plus_ms(-RENEW_BEFORE_MS);
            if now < due {
                return Plan::wait_until(due, format!("the certificate is renewed {}", due.iso8601()));
            }
        }
        // The beginning of the day: a viewer whose clock is some minutes behind accepts it.
        let not_before = Timestamp(now.0 - now.0.rem_euclid(DAY_MS));
        let not_after = not_before.plus_ms(VALID_MS);
        Plan::Step(Step::Issue(Leaf { names, key: KeyKind::P256, not_before, not_after }))
    }

    async fn act(&self, key: &str, step: Step) -> Result<(), StepError> {
        let Step::Issue(leaf) = step else {
            self.store.write(|tx| {
                tx.delete::<EdgeCertificate>(key);
                Ok::<(), StoreError>(())
            })?;
            return Ok(());
        };
        let (names, not_before, not_after) = (leaf.names.clone(), leaf.not_before, leaf.not_after);
        let issued = self.authority.issue(Purpose::Browsers, leaf).await?;
        let material = Material {
            certificate_pem: issued.certificate_pem,
            chain_pem: issued.chain_pem,
            key_pem: issued.key_pem,
            not_before,
            not_after,
        };
        self.store.write(|tx| {
            // Deleted meanwhile: a row would remain that nothing removes.
            if tx.has::<Distribution>(key) {
                tx.put(EdgeCertificate { distribution: DistributionId::from(key), names, material });
            }
            Ok::<(), StoreError>(())
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
