//! From the rows to the proxy plane, and back what the plane sees.

mod balancer;
mod observe;
mod spec;

pub(crate) use balancer::Balancers;

use escale_store::{Store, StoreError};
use escale_tables::elbv2::{BalancerSeen, TargetSeen};

/// A plane that starts anew serves nothing: what an earlier one was seen to do says nothing any more.
pub(crate) fn forget(store: &Store) -> Result<(), StoreError> {
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
