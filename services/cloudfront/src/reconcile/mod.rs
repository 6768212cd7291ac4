//! From the rows to the cdn plane.

mod distribution;
mod invalidation;
mod spec;

pub(crate) use distribution::Distributions;
pub(crate) use invalidation::Invalidations;

use escale_store::{Store, StoreError};
use escale_tables::cloudfront::DistributionSeen;

/// A plane that starts anew serves nothing: what an earlier one was seen to do says nothing any more.
pub(crate) fn forget(store: &Store) -> Result<(), StoreError> {
    store.write(|tx| {
        let seen: Vec<String> = tx.scan::<DistributionSeen>().map(|r| r.id.clone()).collect();
        for id in seen {
            tx.delete::<DistributionSeen>(&id);
        }
        Ok(())
    })
}
