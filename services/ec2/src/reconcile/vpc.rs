//! Keeps each VPC's network in line with its rows. One apply covers all rows that changed.

use super::spec::spec;
use crate::{default_vpc, flow_logs, peerings};
use escale_base::Timestamp;
use escale_engine::{Plan, Reconciler, StepError};
use escale_network::{Network, Place, VpcSpec};
use escale_service::Cloud;
use escale_store::{Change, Image, Row, Store, StoreError, Tx};
use escale_tables::ec2::{
    Address, Endpoint, FlowLog, Group, GroupRule, Interface, InterfaceId, InterfaceSeen, InternetGateway,
    NatGateway, NetworkAcl, NetworkAclAssociation, RouteTable, Subnet, Vpc, VpcId, VpcPeering, VpcPeeringId,
    VpcPeeringSeen, VpcSeen, VpcTold,
};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::Ipv4Addr,
    path::PathBuf,
    sync::Arc,
};

/// The reconciler of VPCs; its keys are their ids.
pub(super) struct Vpcs {
    pub(super) network: Arc<dyn Network>,
    pub(super) store: Store,
    pub(super) cloud: Arc<Cloud>,
}

#[derive(Clone, PartialEq)]
pub(super) enum Step {
    Apply { spec: Box<VpcSpec>, fingerprint: String },
    Remove,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Apply { spec, .. } => write!(f, "apply {} interfaces", spec.interfaces.len()),
            Step::Remove => f.write_str("remove"),
        }
    }
}

impl Reconciler for Vpcs {
    type Step = Step;

    const NAME: &'static str = "ec2.vpc";
    const WATCHES: &'static [&'static str] = &[
        Address::TABLE,
        Endpoint::TABLE,
        FlowLog::TABLE,
        Group::TABLE,
        GroupRule::TABLE,
        Interface::TABLE,
        InternetGateway::TABLE,
        NatGateway::TABLE,
        NetworkAcl::TABLE,
        NetworkAclAssociation::TABLE,
        RouteTable::TABLE,
        Subnet::TABLE,
        Vpc::TABLE,
        VpcPeering::TABLE,
        VpcSeen::TABLE,
        VpcTold::TABLE,
    ];

    /// The VPC of the changed row. A deleted row does not say its VPC any more, so all VPCs are planned.
    fn concerned(&self, image: &Image, change: &Change) -> BTreeSet<String> {
        if let Some(row) = image.get::<VpcPeering>(&change.key).filter(|_| change.table == VpcPeering::TABLE)
        {
            return [row.requester.vpc.to_string(), row.accepter.vpc.to_string()].into();
        }
        let Some(vpc) = vpc_of(image, change) else { return self.all(image) };
        let mut concerned = BTreeSet::from([vpc.clone()]);
        // The rules of peered VPCs may name groups of this interface.
        if change.table == Interface::TABLE {
            let id = VpcId(vpc);
            let others = peerings::accepted(image, &id);
            concerned.extend(others.filter_map(|p| Some(p.sides(&id)?.1.vpc.to_string())));
        }
        concerned
    }

    fn all(&self, image: &Image) -> BTreeSet<String> {
        let desired = image.scan::<Vpc>().map(|v| v.id.to_string());
        // A network whose VPC was deleted must be removed.
        let existing = image.keys(VpcSeen::TABLE).chain(image.keys(VpcTold::TABLE));
        desired.chain(existing.cloned()).collect()
    }

    fn plan(&self, image: &Image, key: &str, _now: Timestamp) -> Plan<Step> {
        plan(image, &self.cloud.config, key)
    }

    async fn act(&self, key: &str, step: Step) -> Result<(), StepError> {
        match step {
            Step::Apply { spec, fingerprint } => {
                let seen = self.observation(&spec);
                // First: a crash during the apply must leave this row, or nothing removes the network of a VPC that is deleted.
                self.record_attempt(key)?;
                let peerings = spec.peerings.iter().map(|p| VpcPeeringId(p.name.clone())).collect();
                self.network.apply(*spec).await?;
                self.store.write(|tx| {
                    record_peerings(tx, key, peerings);
                    self.record(tx, key, fingerprint, seen)
                })?;
            }
            Step::Remove => {
                self.network.remove(key).await?;
                self.store.write(|tx| forget(tx, key))?;
            }
        }
        Ok(())
    }
}

type Seen = BTreeMap<InterfaceId, (PathBuf, Option<Ipv4Addr>)>;

impl Vpcs {
    /// Records that the plane may have built a part of this network.
    fn record_attempt(&self, vpc: &str) -> Result<(), StoreError> {
        // A write waits for the disk, and most applies update a network that is recorded already.
        if self.store.read().has::<VpcTold>(vpc) {
            return Ok(());
        }
        self.store.write(|tx| {
            tx.put(VpcTold { id: VpcId(vpc.to_owned()) });
            Ok(())
        })
    }

    /// The interfaces that exist after this specification was applied.
    fn observation(&self, spec: &VpcSpec) -> Seen {
        let seen = |i: &escale_network::Interface| {
            let place = Place::interface(&spec.name, &i.name);
            // Without an Internet gateway nothing translates the public address.
            let public = i.public_address.filter(|_| spec.internet_gateway);
            (InterfaceId(i.name.clone()), (self.network.namespace_path(&place), public))
        };
        spec.interfaces.iter().map(seen).collect()
    }

    fn record(&self, tx: &mut Tx, vpc: &str, applied: String, mut seen: Seen) -> Result<(), StoreError> {
        let at = self.cloud.clock.now();
        let known: Vec<_> = tx.scan::<InterfaceSeen>().filter(|i| i.vpc == *vpc).collect();
        for row in known {
            match seen.get(&row.id) {
                None => {
                    tx.delete::<InterfaceSeen>(row.id.as_str());
                }
                // An unchanged row is not written, so it wakes no reconciler.
                Some((namespace, public)) if *namespace == row.namespace && *public == row.public_ip => {
                    seen.remove(&row.id);
                }
                Some(_) => {}
            }
        }
        for (id, (namespace, public_ip)) in seen {
            tx.put(InterfaceSeen { id, vpc: VpcId(vpc.to_owned()), public_ip, namespace, at });
        }
        let router = Some(self.network.namespace_path(&Place::Router(vpc.to_owned())));
        tx.put(VpcSeen { id: VpcId(vpc.to_owned()), applied: applied.into(), router, at });
        Ok(())
    }
}

/// Makes the rows of the peering connections to which the network has links match; an unchanged row is not written.
pub(super) fn record_peerings(tx: &mut Tx, vpc: &str, mut linked: BTreeSet<VpcPeeringId>) {
    let known: Vec<_> = tx.scan::<VpcPeeringSeen>().filter(|p| p.vpc == *vpc).collect();
    for row in known {
        if !linked.remove(&row.peering) {
            tx.delete::<VpcPeeringSeen>(&row.key());
        }
    }
    for peering in linked {
        tx.put(VpcPeeringSeen { peering, vpc: VpcId(vpc.to_owned()) });
    }
}

/// Deletes all observed rows of a network that was removed.
fn forget(tx: &mut Tx, vpc: &str) -> Result<(), StoreError> {
    let interfaces: Vec<_> = tx.scan::<InterfaceSeen>().filter(|i| i.vpc == *vpc).collect();
    for i in &interfaces {
        tx.delete::<InterfaceSeen>(i.id.as_str());
    }
    record_peerings(tx, vpc, BTreeSet::new());
    tx.delete::<VpcSeen>(vpc);
    tx.delete::<VpcTold>(vpc);
    Ok(())
}

pub(super) fn plan(image: &Image, config: &escale_service::Config, key: &str) -> Plan<Step> {
    let seen = image.get::<VpcSeen>(key);
    let Some(vpc) = image.get::<Vpc>(key) else {
        let attempted = image.has::<VpcTold>(key);
        return if seen.is_some() || attempted { Plan::Step(Step::Remove) } else { Plan::Done };
    };
    if !default_vpc::needs_network(image, &vpc.id) {
        return Plan::Done;
    }
    let spec = spec(image, config, &vpc);
    let fingerprint = fingerprint(&spec);
    if seen.is_some_and(|s| s.applied == fingerprint) {
        return Plan::Done;
    }
    Plan::Step(Step::Apply { spec: Box::new(spec), fingerprint })
}

fn fingerprint(spec: &VpcSpec) -> String {
    let text = serde_json::to_vec(spec).expect("a specification has string keys only");
    // Half of the digest is enough to notice a change.
    Sha256::digest(text).iter().take(16).map(|b| format!("{b:02x}")).collect()
}

/// The VPC that a changed row belongs to.
fn vpc_of(image: &Image, change: &Change) -> Option<String> {
    let key = change.key.as_str();
    let vpc = match change.table {
        Vpc::TABLE | VpcSeen::TABLE | VpcTold::TABLE => return Some(key.to_owned()),
        Address::TABLE => {
            let (_, interface) = image.get::<Address>(key)?.association.clone()?;
            image.get::<Interface>(interface.as_str())?.vpc.clone()
        }
        Endpoint::TABLE => image.get::<Endpoint>(key)?.vpc.clone(),
        FlowLog::TABLE => flow_logs::vpc_of(image, &*image.get::<FlowLog>(key)?)?,
        Group::TABLE => image.get::<Group>(key)?.vpc.clone(),
        GroupRule::TABLE => image.get::<Group>(key.split('/').next()?)?.vpc.clone(),
        Interface::TABLE => image.get::<Interface>(key)?.vpc.clone(),
        InternetGateway::TABLE => image.get::<InternetGateway>(key)?.vpc.clone()?,
        NatGateway::TABLE => image.get::<NatGateway>(key)?.vpc.clone(),
        NetworkAcl::TABLE => image.get::<NetworkAcl>(key)?.vpc.clone(),
        // The key is the subnet's.
        NetworkAclAssociation::TABLE => image.get::<Subnet>(key)?.vpc.clone(),
        RouteTable::TABLE => image.get::<RouteTable>(key)?.vpc.clone(),
        Subnet::TABLE => image.get::<Subnet>(key)?.vpc.clone(),
        _ => return None,
    };
    Some(vpc.to_string())
}
