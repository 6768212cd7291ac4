//! Configures the cdn plane from the rows.

mod certificate;
mod distribution;
mod invalidation;
mod spec;

pub(crate) use certificate::Certificates;
pub(crate) use distribution::Distributions;
pub(crate) use invalidation::Invalidations;

use escale_store::{Store, StoreError};
use escale_tables::cloudfront::DistributionSeen;

/// Deletes all observations at the start: a new plane serves nothing, so those of the previous run no longer hold.
pub(crate) fn clear_observations(store: &Store) -> Result<(), StoreError> {
    store.write(|tx| {
        let seen: Vec<_> = tx.scan::<DistributionSeen>().map(|r| r.id.clone()).collect();
        for id in seen {
            tx.delete::<DistributionSeen>(&id);
        }
        Ok(())
    })
}
