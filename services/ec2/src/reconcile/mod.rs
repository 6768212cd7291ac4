//! From rows to the network plane.

mod internet;
mod spec;
#[cfg(test)]
mod tests;
mod vpc;

use crate::default_vpc;
use escale_base::{PlaneError, Timestamp};
use escale_engine::{Engine, StepError};
use escale_network::{InternetHost, Network};
use escale_service::Cloud;
use escale_store::{Store, StoreError, Tx};
use escale_tables::ec2::{InterfaceSeen, Vpc, VpcId, VpcSeen};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Makes the Internet stand, takes over what an earlier daemon left, and starts the reconciler of VPCs. When it
/// returns, the API's and S3's public addresses can be listened on.
pub async fn start(
    engine: &mut Engine,
    store: Store,
    cloud: Arc<Cloud>,
    network: Arc<dyn Network>,
    hosts: Vec<InternetHost>,
) -> Result<(), StepError> {
    network.apply_internet(internet::spec(&cloud.config, hosts)).await?;
    let known = store.read().scan::<VpcSeen>().map(|v| v.id.to_string()).collect();
    let standing = standing(known, network.as_ref()).await?;
    let now = cloud.clock.now();
    store.write(|tx| {
        // With the other rows: a first start waits for the disk once.
        default_vpc::install(tx, &cloud.config, now);
        take_over(tx, &standing, now)
    })?;
    engine.add(vpc::Vpcs { network, store, cloud });
    Ok(())
}

/// The interfaces that really stand, by network; `known` are networks that the plane need not list.
async fn standing(
    known: Vec<String>,
    network: &dyn Network,
) -> Result<BTreeMap<String, BTreeSet<String>>, PlaneError> {
    let mut standing = BTreeMap::new();
    let mut names = network.vpcs().await?;
    names.extend(known);
    for name in names {
        if let Some(observed) = network.observe(&name).await? {
            let up = observed.interfaces.into_iter().filter(|(_, i)| i.up).map(|(id, _)| id);
            standing.insert(name, up.collect());
        }
    }
    Ok(standing)
}

/// Forgets what no longer stands (the machine was restarted), and every fingerprint: a new plane must be told
/// each network once, so that it takes over what stands and repairs the rest. A network without a VPC gets
/// an observation, so that it is removed.
fn take_over(
    tx: &mut Tx,
    standing: &BTreeMap<String, BTreeSet<String>>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let gone: Vec<String> = tx
        .scan::<VpcSeen>()
        .filter(|v| !standing.contains_key(v.id.as_str()) && tx.has::<Vpc>(v.id.as_str()))
        .map(|v| v.id.to_string())
        .collect();
    for id in &gone {
        tx.delete::<VpcSeen>(id);
    }
    for name in standing.keys() {
        tx.put(VpcSeen { id: VpcId(name.clone()), applied: String::new().into(), at });
    }
    let stands = |i: &InterfaceSeen| standing.get(i.vpc.as_str()).is_some_and(|s| s.contains(i.id.as_str()));
    let gone: Vec<String> =
        tx.scan::<InterfaceSeen>().filter(|i| !stands(i)).map(|i| i.id.to_string()).collect();
    for id in &gone {
        tx.delete::<InterfaceSeen>(id);
    }
    Ok(())
}
