//! Compiled zones: parsed, checked, aliases resolved. Immutable.

use crate::spec::{self, Data, Kind, Routing};
use crate::value;
use escale_base::{PlaneError, limits::dns as limits};
use hickory_proto::rr::{Name, RData};
use std::collections::{BTreeMap, HashMap, hash_map::Entry};
use std::sync::Arc;

/// Zones that are searched together.
#[derive(Debug, Default)]
pub(crate) struct Zones(HashMap<Name, Zone>);

#[derive(Debug)]
pub(crate) struct Zone {
    pub(crate) apex: Name,
    pub(crate) soa: RData,
    /// How long "no such name" may be cached (RFC 2308): the lower of the SOA's TTL and its minimum.
    pub(crate) negative_ttl: u32,
    /// Every existing name, including those without records of their own (RFC 4592's empty non-terminals).
    pub(crate) nodes: HashMap<Name, Node>,
}

pub(crate) type Node = BTreeMap<Kind, Arc<Set>>;

/// The records of a name for one kind.
#[derive(Debug)]
pub(crate) enum Set {
    Values { ttl: u32, data: Vec<RData> },
    Multivalue(Vec<Arc<Set>>),
    Weighted(Vec<(u8, Arc<Set>)>),
}

impl Zones {
    /// Compiles zones; an alias whose target is not in these zones is looked up in `behind`.
    pub(crate) fn compile(zones: &[Arc<spec::Zone>], behind: Option<&Zones>) -> Result<Zones, PlaneError> {
        let mut drafts: HashMap<Name, Draft<'_>> = HashMap::new();
        for zone in zones {
            let draft = Draft::new(zone)?;
            match drafts.entry(draft.apex.clone()) {
                Entry::Vacant(free) => drop(free.insert(draft)),
                Entry::Occupied(_) => {
                    return Err(PlaneError::asked(format!(
                        "zone {} is listed twice; list each zone of a view once",
                        zone.name
                    )));
                }
            }
        }
        let linker = Linker { drafts: &drafts, behind };
        let compiled: Result<_, PlaneError> =
            sorted(&drafts).map(|(apex, draft)| Ok((apex.clone(), linker.zone(draft)?))).collect();
        compiled.map(Zones)
    }

    /// The zone of this name: the one with the longest apex at or above it.
    pub(crate) fn holding(&self, name: &Name) -> Option<&Zone> {
        above(name).find_map(|apex| self.0.get(&apex))
    }
}

/// The name itself, then each name above it up to the root.
pub(crate) fn above(name: &Name) -> impl Iterator<Item = Name> {
    std::iter::successors(Some(name.clone()), |n| (!n.is_root()).then(|| n.base_name()))
}

impl Zone {
    /// The node of a name, or of the wildcard that covers it (RFC 4592 section 3.3.1).
    pub(crate) fn node(&self, name: &Name) -> Option<&Node> {
        covering(&self.nodes, name)
    }
}

fn covering<'a, T>(nodes: &'a HashMap<Name, T>, name: &Name) -> Option<&'a T> {
    if let Some(node) = nodes.get(name) {
        return Some(node);
    }
    let encloser = above(name).skip(1).find(|n| nodes.contains_key(n))?;
    nodes.get(&encloser.prepend_label("*").ok()?)
}

/// Sorted by name, so that the same spec always gives the same error.
fn sorted<T>(nodes: &HashMap<Name, T>) -> impl Iterator<Item = (&Name, &T)> {
    nodes.iter().collect::<BTreeMap<_, _>>().into_iter()
}

/// A zone with its records grouped by name and kind, before aliases are resolved.
struct Draft<'a> {
    apex: Name,
    nodes: HashMap<Name, BTreeMap<Kind, Vec<&'a spec::Record>>>,
}

impl<'a> Draft<'a> {
    fn new(zone: &'a spec::Zone) -> Result<Draft<'a>, PlaneError> {
        let bad = |what: String| PlaneError::asked(format!("zone {}: {what}", zone.name));
        let apex = value::name(&zone.name).map_err(bad)?;
        let mut nodes: HashMap<Name, BTreeMap<Kind, Vec<&spec::Record>>> = HashMap::new();
        for record in &zone.records {
            let name = value::name(&record.name).map_err(bad)?;
            if !apex.zone_of(&name) {
                return Err(bad(format!("record {} is not below the zone", record.name)));
            }
            if record.kind == Kind::NS && name.is_wildcard() {
                return Err(bad(format!("{} delegates by a wildcard, which RFC 4592 forbids", record.name)));
            }
            for parent in above(&name).skip(1).take_while(|n| apex.zone_of(n)) {
                nodes.entry(parent).or_default();
            }
            nodes.entry(name).or_default().entry(record.kind).or_default().push(record);
        }
        let draft = Draft { apex, nodes };
        draft.check().map_err(bad)?;
        Ok(draft)
    }

    fn check(&self) -> Result<(), String> {
        for (name, node) in sorted(&self.nodes) {
            let at_apex = *name == self.apex;
            if node.contains_key(&Kind::CNAME) && node.len() > 1 {
                return Err(format!(
                    "{name} has a CNAME and other records; a CNAME must be the only record of its name (RFC 1034 3.6.2)"
                ));
            }
            if at_apex != node.contains_key(&Kind::SOA) {
                return Err(if at_apex {
                    "an SOA record at its apex is missing".to_owned()
                } else {
                    format!("{name} has an SOA record; only the apex can have one")
                });
            }
            for (kind, members) in node {
                check_members(name, *kind, members)?;
            }
        }
        Ok(())
    }
}

fn check_members(name: &Name, kind: Kind, members: &[&spec::Record]) -> Result<(), String> {
    let form = |r: &spec::Record| std::mem::discriminant(&r.routing);
    let fixed = matches!(kind, Kind::SOA | Kind::NS);
    for member in members {
        match member.routing {
            Routing::Simple if members.len() > 1 => {
                return Err(format!(
                    "{name} {kind} is listed twice; put all values into one record, or give each a routing"
                ));
            }
            Routing::Multivalue | Routing::Weighted(_) if fixed => {
                return Err(format!("{name} {kind} must have simple routing"));
            }
            Routing::Multivalue if kind == Kind::CNAME => {
                return Err(format!("{name} CNAME cannot be multivalue: a name has one CNAME"));
            }
            _ if form(member) != form(members[0]) => {
                return Err(format!("{name} {kind} mixes routings; all members must have the same"));
            }
            _ => {}
        }
        match &member.data {
            Data::Alias { .. } if fixed => return Err(format!("{name} {kind} cannot be an alias")),
            Data::Values { values, .. } if values.is_empty() => {
                return Err(format!("{name} {kind} has no value"));
            }
            Data::Values { values, .. } if values.len() > 1 && matches!(kind, Kind::CNAME | Kind::SOA) => {
                return Err(format!("{name} {kind} has {} values; the limit is one", values.len()));
            }
            Data::Values { ttl_secs, .. } if *ttl_secs > i32::MAX as u32 => {
                return Err(format!(
                    "{name} {kind} has a TTL of {ttl_secs} s; the maximum is 2147483647 (RFC 2181)"
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Turns drafts into zones; resolves aliases across all of them.
struct Linker<'a> {
    drafts: &'a HashMap<Name, Draft<'a>>,
    behind: Option<&'a Zones>,
}

impl Linker<'_> {
    fn zone(&self, draft: &Draft<'_>) -> Result<Zone, PlaneError> {
        let mut nodes = HashMap::with_capacity(draft.nodes.len());
        for (name, kinds) in sorted(&draft.nodes) {
            let sets: Result<Node, PlaneError> =
                kinds.iter().map(|(kind, members)| Ok((*kind, self.set(*kind, members, 0)?))).collect();
            nodes.insert(name.clone(), sets?);
        }
        let soa = nodes.get(&draft.apex).and_then(|node| node.get(&Kind::SOA));
        let Some(Set::Values { ttl, data }) = soa.map(|set| &**set) else {
            return Err(PlaneError::asked(format!("zone {} has no SOA record; add one", draft.apex)));
        };
        let (ttl, soa) = (*ttl, data[0].clone());
        let negative_ttl = soa.as_soa().map_or(ttl, |soa| soa.minimum().min(ttl));
        Ok(Zone { apex: draft.apex.clone(), soa, negative_ttl, nodes })
    }

    fn set(&self, kind: Kind, members: &[&spec::Record], links: usize) -> Result<Arc<Set>, PlaneError> {
        let mut sets = members.iter().map(|m| Ok((m.routing, self.member(kind, m, links)?)));
        let sets: Vec<(Routing, Arc<Set>)> = sets.by_ref().collect::<Result<_, PlaneError>>()?;
        Ok(match sets.first() {
            Some((Routing::Simple, only)) => only.clone(),
            Some((Routing::Multivalue, _)) => {
                Arc::new(Set::Multivalue(sets.into_iter().map(|(_, s)| s).collect()))
            }
            _ => {
                let weight = |(routing, set)| match routing {
                    Routing::Weighted(weight) => (weight, set),
                    _ => (0, set),
                };
                Arc::new(Set::Weighted(sets.into_iter().map(weight).collect()))
            }
        })
    }

    fn member(&self, kind: Kind, record: &spec::Record, links: usize) -> Result<Arc<Set>, PlaneError> {
        let bad = |what: String| PlaneError::asked(format!("record {} {kind}: {what}", record.name));
        match &record.data {
            Data::Values { ttl_secs, values } => {
                let parse = |v: &String| value::parse(kind, v).map_err(|e| bad(format!("value '{v}': {e}")));
                let data = values.iter().map(parse).collect::<Result<_, _>>()?;
                Ok(Arc::new(Set::Values { ttl: *ttl_secs, data }))
            }
            Data::Alias { .. } if links == limits::ALIAS_LINKS => {
                Err(bad(format!("its aliases form a loop, or more than {links} follow one another")))
            }
            Data::Alias { target } => {
                let target = value::name(target).map_err(bad)?;
                let nothing = || Arc::new(Set::Values { ttl: 0, data: Vec::new() });
                match above(&target).find_map(|apex| self.drafts.get(&apex)) {
                    Some(draft) => match covering(&draft.nodes, &target).and_then(|node| node.get(&kind)) {
                        Some(members) => self.set(kind, members, links + 1),
                        None => Ok(nothing()),
                    },
                    None => {
                        let node = self.behind.and_then(|z| z.holding(&target)).and_then(|z| z.node(&target));
                        Ok(node.and_then(|node| node.get(&kind)).cloned().unwrap_or_else(nothing))
                    }
                }
            }
        }
    }
}
