//! The data being served: an immutable snapshot, replaced as a whole.

use crate::host::HostServers;
use crate::lookup::{self, Reply};
use crate::spec::{Data, Kind, Servers, Spec, Upstream, View};
use crate::value;
use crate::zone::Zones;
use arc_swap::ArcSwap;
use escale_base::PlaneError;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RecordType};
use rand::RngCore;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
};

/// The current snapshot; each question loads it once, so that no answer mixes two snapshots.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    snapshot: ArcSwap<Snapshot>,
    host: HostServers,
}

#[derive(Debug, Default)]
struct Snapshot {
    spec: Spec,
    public: Arc<Zones>,
    networks: BTreeMap<String, Arc<Zones>>,
    /// The names that a network's upstream is not asked for.
    withheld: BTreeMap<String, Withheld>,
    /// The same for `spec.outside`.
    withheld_outside: Option<Withheld>,
}

#[derive(Debug)]
struct Withheld {
    names: Vec<Name>,
    except: Vec<Name>,
}

impl Withheld {
    fn compile(upstream: &Upstream) -> Result<Withheld, PlaneError> {
        let names = |list: &[String]| -> Result<Vec<Name>, PlaneError> {
            list.iter().map(|name| value::name(name).map_err(PlaneError::asked)).collect()
        };
        Ok(Withheld { names: names(&upstream.withheld)?, except: names(&upstream.allowed)? })
    }

    fn has(&self, name: &Name) -> bool {
        let within = |list: &[Name]| list.iter().any(|above| above.zone_of(name));
        within(&self.names) && !within(&self.except)
    }
}

impl Shared {
    /// Compiles and swaps; unchanged zones are reused. On an error nothing changes.
    pub(crate) fn apply(&self, spec: Spec) -> Result<(), PlaneError> {
        let old = self.snapshot.load_full();
        let same_public = old.spec.public == spec.public;
        let public =
            if same_public { old.public.clone() } else { Arc::new(Zones::compile(&spec.public, None)?) };
        let (mut networks, mut withheld) = (BTreeMap::new(), BTreeMap::new());
        for (name, resolver) in &spec.networks {
            let kept = old.spec.networks.get(name).filter(|r| same_public && r.zones == resolver.zones);
            let zones = match kept.and_then(|_| old.networks.get(name)) {
                Some(zones) => zones.clone(),
                None => Arc::new(Zones::compile(&resolver.zones, Some(&public))?),
            };
            networks.insert(name.clone(), zones);
            if let Some(upstream) = &resolver.upstream {
                withheld.insert(name.clone(), Withheld::compile(upstream)?);
            }
        }
        let withheld_outside = spec.outside.as_ref().map(Withheld::compile).transpose()?;
        self.snapshot.store(Arc::new(Snapshot { spec, public, networks, withheld, withheld_outside }));
        Ok(())
    }

    pub(crate) fn reply(&self, view: &View, name: &Name, kind: RecordType, dice: &mut dyn RngCore) -> Reply {
        let now = self.snapshot.load();
        match view {
            View::Public => lookup::authoritative(&now.public, name, kind, dice),
            View::Network(network) => match now.networks.get(network) {
                None => Reply::code(ResponseCode::Refused),
                Some(own) => {
                    let has_upstream = now.spec.networks.get(network).is_some_and(|r| r.upstream.is_some());
                    let mut reply = lookup::resolver(&[own, &now.public], name, kind, has_upstream, dice);
                    let withheld = now.withheld.get(network);
                    if reply.forward.as_ref().is_some_and(|name| withheld.is_some_and(|w| w.has(name))) {
                        reply.forward = None;
                        reply.code = ResponseCode::NXDomain;
                    }
                    reply
                }
            },
        }
    }

    /// See [`crate::DnsPlane::public_names`].
    pub(crate) fn public_names(&self) -> BTreeSet<String> {
        let now = self.snapshot.load();
        let plain = |name: &str| name.trim_end_matches('.').to_owned();
        let records = || now.spec.public.iter().flat_map(|zone| &zone.records);
        let servers: BTreeSet<String> = records()
            .filter(|record| record.kind == Kind::NS)
            .filter_map(|record| match &record.data {
                Data::Values { values, .. } => Some(values.iter().map(|value| plain(value))),
                Data::Alias { .. } => None,
            })
            .flatten()
            .collect();
        let with_address = records().filter(|record| matches!(record.kind, Kind::A | Kind::CNAME));
        let names = with_address.map(|record| plain(&record.name));
        names.filter(|name| !name.starts_with('*') && !servers.contains(name)).collect()
    }

    pub(crate) fn knows(&self, view: &View) -> bool {
        match view {
            View::Public => true,
            View::Network(name) => self.snapshot.load().networks.contains_key(name),
        }
    }

    /// The servers to ask for names that no zone contains.
    pub(crate) fn upstream(&self, view: &View) -> Option<Arc<[SocketAddr]>> {
        let View::Network(name) = view else { return None };
        Some(self.servers(&self.snapshot.load().spec.networks.get(name)?.upstream.as_ref()?.servers))
    }

    /// The servers to ask for a name that the process itself looks up; `None` if it must not be looked up.
    pub(crate) fn outside(&self, name: &Name) -> Option<Arc<[SocketAddr]>> {
        let now = self.snapshot.load();
        if now.withheld_outside.as_ref().is_none_or(|withheld| withheld.has(name)) {
            return None;
        }
        Some(self.servers(&now.spec.outside.as_ref()?.servers))
    }

    fn servers(&self, servers: &Servers) -> Arc<[SocketAddr]> {
        match servers {
            Servers::These(servers) => servers.as_slice().into(),
            Servers::OfHost => self.host.now(),
        }
    }

    pub(crate) fn queries_per_second(&self, view: &View) -> Option<u32> {
        let now = self.snapshot.load();
        match view {
            View::Public => now.spec.public_queries_per_second,
            View::Network(name) => now.spec.networks.get(name)?.queries_per_second,
        }
    }
}
