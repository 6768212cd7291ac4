//! Configures the proxy plane from the rows, and records the plane's observations.

mod balancer;
mod observe;
mod spec;

pub(crate) use balancer::Balancers;

use escale_store::{Store, StoreError};
use escale_tables::elbv2::{BalancerSeen, TargetSeen};

/// Deletes all observations at the start: a new plane serves nothing, so those of the previous run no longer hold.
pub(crate) fn clear_observations(store: &Store) -> Result<(), StoreError> {
    store.write(|tx| {
        let balancers: Vec<String> = tx.scan::<BalancerSeen>().map(|r| r.arn.to_string()).collect();
        for key in balancers {
            tx.delete::<BalancerSeen>(&key);
        }
        let targets: Vec<String> = tx.scan::<TargetSeen>().map(|r| escale_store::Row::key(&*r)).collect();
        for key in targets {
            tx.delete::<TargetSeen>(&key);
        }
        Ok(())
    })
}
