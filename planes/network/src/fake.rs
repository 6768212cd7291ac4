//! The network plane in memory: the same checks and the same answers, no packets. Its listeners can be opened and held, but
//! never receive a connection.

use crate::{
    Applied, Flows, Namespace, Network, Observed, ObservedInterface, Place, Translations, check, firewall,
    reachability, spec::*,
};
use async_trait::async_trait;
use escale_base::PlaneError;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddrV4},
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

#[derive(Default)]
pub struct FakeNetwork {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    vpcs: BTreeMap<String, VpcSpec>,
    internet: InternetSpec,
}

impl FakeNetwork {
    /// The last applied spec, for assertions.
    pub fn spec(&self, vpc: &str) -> Option<VpcSpec> {
        self.lock().vpcs.get(vpc).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn public(&self, except: &str) -> BTreeSet<Ipv4Addr> {
        let others = self.vpcs.values().filter(|v| v.name != except && v.internet_gateway);
        others.flat_map(|v| &v.interfaces).filter_map(|i| i.public_address).collect()
    }
}

/// The error for a network that does not exist.
pub(crate) fn absent(vpc: &str) -> PlaneError {
    PlaneError::asked(format!("network '{vpc}' does not exist"))
}

#[async_trait]
impl Network for FakeNetwork {
    async fn apply(&self, spec: VpcSpec) -> Result<Applied, PlaneError> {
        check::vpc(&spec)?;
        let mut state = self.lock();
        let mut taken = state.public(&spec.name);
        taken.extend(
            state.internet.service_addresses.iter().chain(state.internet.hosts.iter().map(|h| &h.address)),
        );
        let wanted = spec.interfaces.iter().filter_map(|i| i.public_address);
        if let Some(address) = wanted.filter(|_| spec.internet_gateway).find(|a| taken.contains(a)) {
            return Err(PlaneError::asked(format!(
                "the public address {address} is already held by another network, host or service"
            )));
        }
        let old = state.vpcs.get(&spec.name);
        let before = old.map(|o| o.interfaces.as_slice()).unwrap_or_default();
        let same =
            |a: &Interface, b: &Interface| (&a.name, a.address, a.kind) == (&b.name, b.address, b.kind);
        let missing = |from: &[Interface], i: &&Interface| !from.iter().any(|x| same(x, i));
        let applied = Applied {
            added: spec.interfaces.iter().filter(|i| missing(before, i)).map(|i| i.name.clone()).collect(),
            removed: before.iter().filter(|i| missing(&spec.interfaces, i)).map(|i| i.name.clone()).collect(),
            firewall: old.map(firewall::router) != Some(firewall::router(&spec)),
            routes: 0,
            flows_cut: 0,
        };
        state.vpcs.insert(spec.name.clone(), spec);
        Ok(applied)
    }

    async fn remove(&self, vpc: &str) -> Result<(), PlaneError> {
        self.lock().vpcs.remove(vpc);
        Ok(())
    }

    async fn apply_internet(&self, spec: InternetSpec) -> Result<(), PlaneError> {
        check::internet(&spec)?;
        let mut state = self.lock();
        let taken = state.public("");
        let wanted = spec.service_addresses.iter().chain(spec.hosts.iter().map(|h| &h.address));
        if let Some(address) = wanted.into_iter().find(|a| taken.contains(a)) {
            return Err(PlaneError::asked(format!(
                "the Internet: {address} is the public address of an interface"
            )));
        }
        state.internet = spec;
        Ok(())
    }

    async fn vpcs(&self) -> Result<BTreeSet<String>, PlaneError> {
        Ok(self.lock().vpcs.keys().cloned().collect())
    }

    async fn observe(&self, vpc: &str) -> Result<Option<Observed>, PlaneError> {
        let seen = |spec: &VpcSpec| {
            let interfaces =
                spec.interfaces.iter().map(|i| (i.name.clone(), ObservedInterface::fresh(i.address)));
            Observed { interfaces: interfaces.collect(), internet: spec.internet_gateway }
        };
        Ok(self.lock().vpcs.get(vpc).map(seen))
    }

    /// There are no packets.
    async fn take_flows(&self, vpc: &str) -> Result<Flows, PlaneError> {
        if self.lock().vpcs.contains_key(vpc) { Ok(Flows::default()) } else { Err(absent(vpc)) }
    }
    async fn translations(&self, vpc: &str, interface: &str) -> Result<Option<Translations>, PlaneError> {
        let found = self.lock().vpcs.get(vpc).is_some_and(|v| v.interface(interface).is_some());
        Ok(found.then(Translations::default))
    }

    /// Computed from the specification; a host on the Internet answers at every port.
    async fn answers(
        &self,
        vpc: &str,
        interface: &str,
        to: SocketAddrV4,
        _within: Duration,
    ) -> Result<bool, PlaneError> {
        let state = self.lock();
        let exists = |a| {
            state.internet.service_addresses.contains(&a)
                || state.internet.hosts.iter().any(|h| h.address == a)
        };
        let others = |name: &str| state.vpcs.get(name);
        let spec = state.vpcs.get(vpc);
        let answer = spec.and_then(|spec| reachability::answers(spec, &others, interface, to, exists));
        answer
            .ok_or_else(|| PlaneError::asked(format!("{} does not exist", Place::interface(vpc, interface))))
    }

    fn namespace(&self, place: &Place) -> Result<Namespace, PlaneError> {
        let state = self.lock();
        let exists = match place {
            Place::Interface { vpc, interface } => {
                state.vpcs.get(vpc).is_some_and(|v| v.interfaces.iter().any(|i| i.name == *interface))
            }
            Place::Router(vpc) => state.vpcs.contains_key(vpc),
            Place::Internet => true,
            Place::Host(name) => state.internet.hosts.iter().any(|h| h.name == *name),
        };
        if exists {
            Ok(Namespace::in_memory(self.namespace_path(place)))
        } else {
            Err(PlaneError::asked(format!("{place} does not exist")))
        }
    }

    fn namespace_path(&self, place: &Place) -> PathBuf {
        PathBuf::from(format!("/nonexistent/{place}"))
    }

    async fn wipe(&self) -> Result<(), PlaneError> {
        *self.lock() = State::default();
        Ok(())
    }
}
