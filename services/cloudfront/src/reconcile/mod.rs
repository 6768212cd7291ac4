//! Configures the cdn plane from the rows.

mod certificate;
mod distribution;
mod invalidation;
mod spec;

pub(crate) use certificate::Certificates;
pub(crate) use distribution::Distributions;
pub(crate) use invalidation::Invalidations;

use escale_base::Timestamp;
use escale_store::{Store, StoreError};
use escale_tables::cloudfront::DistributionSeen;

/// Replaces the observations of the previous run at the start: `served` are the distributions that the plane has, applied as
/// their rows were at some time. So each is applied once, and one without a row is removed.
pub(crate) fn begin_observations(
    store: &Store,
    at: Timestamp,
    served: Vec<String>,
) -> Result<(), StoreError> {
    store.write(|tx| {
        let seen: Vec<_> = tx.scan::<DistributionSeen>().map(|r| r.id.clone()).collect();
        for id in seen {
            tx.delete::<DistributionSeen>(&id);
        }
        for id in served {
            tx.put(DistributionSeen { id: id.into(), etag: None, applied: None, fault: None, at });
        }
        Ok(())
    })
}
