//! Configures the proxy plane from the rows, and records the plane's observations.

mod balancer;
mod observe;
mod spec;

pub(crate) use balancer::Balancers;
#[cfg(test)]
pub(crate) use spec::of as spec_of;

use crate::rules;
use escale_base::Timestamp;
use escale_store::{Image, Store, StoreError};
use escale_tables::elbv2::{BalancerSeen, LoadBalancer, NodeFault, TargetSeen};

/// Whether the plane serves the load balancer as its rows are now.
pub(crate) fn is_current(image: &Image, balancer: &LoadBalancer) -> bool {
    let seen = image.get::<BalancerSeen>(&balancer.arn);
    let applied = seen.filter(|seen| seen.fault.is_none()).and_then(|seen| seen.applied.clone());
    applied.is_some_and(|applied| applied.as_str() == spec::fingerprint(&spec::of(image, balancer)))
}

/// Replaces the observations of the previous run at the start: `served` are the load balancers that the plane has, applied as
/// their rows were at some time. So each is applied once, and one without a row is removed.
pub(crate) fn begin_observations(
    store: &Store,
    at: Timestamp,
    served: Vec<String>,
) -> Result<(), StoreError> {
    store.write(|tx| {
        let balancers: Vec<String> = tx.scan::<BalancerSeen>().map(|r| r.arn.to_string()).collect();
        for key in balancers {
            tx.delete::<BalancerSeen>(&key);
        }
        let nodes: Vec<String> = tx.scan::<NodeFault>().map(|r| r.interface.to_string()).collect();
        for key in nodes {
            tx.delete::<NodeFault>(&key);
        }
        let targets: Vec<String> = tx.scan::<TargetSeen>().map(|r| escale_store::Row::key(&*r)).collect();
        for key in targets {
            tx.delete::<TargetSeen>(&key);
        }
        let without_key: Vec<_> = tx.scan::<LoadBalancer>().filter(|row| row.cookie_key.is_none()).collect();
        for row in without_key {
            tx.put(LoadBalancer { cookie_key: Some(rules::new_cookie_key()), ..(*row).clone() });
        }
        for arn in served {
            tx.put(BalancerSeen { arn: arn.into(), applied: None, fault: None, at });
        }
        Ok(())
    })
}
