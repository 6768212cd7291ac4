//! Configures the proxy plane from the rows, and records the plane's observations.

mod balancer;
mod observe;
mod spec;

pub(crate) use balancer::Balancers;
#[cfg(test)]
pub(crate) use spec::of as spec_of;

use escale_store::{Image, Store, StoreError};
use escale_tables::elbv2::{BalancerSeen, LoadBalancer, TargetSeen};

/// Whether the plane serves the load balancer as its rows are now.
pub(crate) fn is_current(image: &Image, balancer: &LoadBalancer) -> bool {
    let seen = image.get::<BalancerSeen>(&balancer.arn);
    let applied = seen.filter(|seen| seen.fault.is_none()).and_then(|seen| seen.applied.clone());
    applied.is_some_and(|applied| applied.as_str() == spec::fingerprint(&spec::of(image, balancer)))
}

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
