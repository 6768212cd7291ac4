//! The reconciler of VPCs, and the adoption of networks that an earlier daemon left.

mod internet;
mod spec;
#[cfg(test)]
mod tests;
mod vpc;

use crate::{acls, default_vpc, flow_logs};
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

/// The plane of VPCs.
pub struct Planes {
    pub network: Arc<dyn Network>,
    /// Hosts on the cloud's Internet that belong to no VPC.
    pub internet_hosts: Vec<InternetHost>,
}

/// Creates the Internet, adopts the networks that an earlier daemon left, and starts the reconciler of VPCs. When it returns, the
/// daemon can listen on the public addresses of the API and of S3.
pub async fn start(
    engine: &mut Engine,
    store: &Store,
    cloud: &Arc<Cloud>,
    planes: Planes,
) -> Result<(), StepError> {
    let Planes { network, internet_hosts } = planes;
    network.apply_internet(internet::spec(&cloud.config, internet_hosts)).await?;
    let known = store.read().scan::<VpcSeen>().map(|v| v.id.to_string()).collect();
    let up = up_interfaces(known, network.as_ref()).await?;
    let now = cloud.clock.now();
    store.write(|tx| {
        // In the same transaction, so that a first start waits for the disk only once.
        default_vpc::install(tx, &cloud.config, now);
        acls::install(tx);
        adopt(tx, &up, now)
    })?;
    engine.run(flow_logs::deliver(store.clone(), Arc::clone(cloud), Arc::clone(&network)));
    engine.add(vpc::Vpcs { network, store: store.clone(), cloud: Arc::clone(cloud) });
    Ok(())
}

/// The interfaces that are up, by network. `known` are the networks that have rows; the plane need not list them.
async fn up_interfaces(
    known: Vec<String>,
    network: &dyn Network,
) -> Result<BTreeMap<String, BTreeSet<String>>, PlaneError> {
    let mut networks = BTreeMap::new();
    let mut names = network.vpcs().await?;
    names.extend(known);
    for name in names {
        if let Some(observed) = network.observe(&name).await? {
            let up = observed.interfaces.into_iter().filter(|(_, i)| i.up).map(|(id, _)| id);
            networks.insert(name, up.collect());
        }
    }
    Ok(networks)
}

/// Makes the observed rows match the plane: after a restart of the machine no network exists any more.
fn adopt(tx: &mut Tx, up: &BTreeMap<String, BTreeSet<String>>, at: Timestamp) -> Result<(), StoreError> {
    // The row of a network without a VPC stays, so that the reconciler removes the network.
    let stale: Vec<String> = tx
        .scan::<VpcSeen>()
        .filter(|v| !up.contains_key(v.id.as_str()) && tx.has::<Vpc>(v.id.as_str()))
        .map(|v| v.id.to_string())
        .collect();
    for id in &stale {
        vpc::record_peerings(tx, id, BTreeSet::new());
        tx.delete::<VpcSeen>(id);
    }
    // The empty fingerprint matches no specification, so the reconciler applies every network once. The new plane thereby adopts
    // what exists and repairs the rest.
    for name in up.keys() {
        let router = tx.get::<VpcSeen>(name).and_then(|v| v.router.clone());
        tx.put(VpcSeen { id: VpcId(name.clone()), applied: String::new().into(), router, at });
    }
    let is_up = |i: &InterfaceSeen| up.get(i.vpc.as_str()).is_some_and(|s| s.contains(i.id.as_str()));
    let stale: Vec<String> =
        tx.scan::<InterfaceSeen>().filter(|i| !is_up(i)).map(|i| i.id.to_string()).collect();
    for id in &stale {
        tx.delete::<InterfaceSeen>(id);
    }
    Ok(())
}
