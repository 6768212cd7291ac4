//! Computes the answer to a question, in memory: RFC 1034 section 4.3.2, with RFC 4592 (wildcards), RFC 2308 (no such
//! name, no data) and RFC 8482 (ANY). Pure, apart from the random choice within routed sets.

use crate::spec::Kind;
use crate::zone::{Set, Zone, Zones, above};
use escale_base::limits::dns as limits;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RData, Record, RecordType, rdata::HINFO};
use rand::{Rng, RngCore, seq::SliceRandom};

/// An answer before it is encoded as a message.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) code: ResponseCode,
    pub(crate) authoritative: bool,
    pub(crate) recursion_available: bool,
    pub(crate) answers: Vec<Record>,
    pub(crate) authority: Vec<Record>,
    pub(crate) additional: Vec<Record>,
    /// The name to ask the upstream for, to complete the answer.
    pub(crate) forward: Option<Name>,
}

impl Reply {
    pub(crate) fn code(code: ResponseCode) -> Reply {
        Reply {
            code,
            authoritative: false,
            recursion_available: false,
            answers: Vec::new(),
            authority: Vec::new(),
            additional: Vec::new(),
            forward: None,
        }
    }
}

/// Answers from the public zones only. A CNAME is followed inside its zone.
pub(crate) fn authoritative(zones: &Zones, name: &Name, kind: RecordType, dice: &mut dyn RngCore) -> Reply {
    let mut reply = Reply::code(ResponseCode::Refused);
    if matches!(kind, RecordType::AXFR | RecordType::IXFR) {
        return reply;
    }
    // A DS record belongs to the parent's side of a zone cut (RFC 4035 section 3.1.4.1).
    let parent = (kind == RecordType::DS).then(|| zones.holding(&name.base_name())).flatten();
    let Some(zone) = parent.or_else(|| zones.holding(name)) else { return reply };
    reply.authoritative = true;
    reply.code = ResponseCode::NoError;
    let mut name = name.clone();
    for _ in 0..limits::CNAME_LINKS {
        match find(zone, &name, kind, dice) {
            Found::Referral { ns, glue } => {
                // A referral is not authoritative; a chain that ends in one began authoritatively.
                reply.authoritative = !reply.answers.is_empty();
                (reply.authority, reply.additional) = (ns, glue);
                return reply;
            }
            Found::Cname { record, target } => {
                reply.answers.push(record);
                // The client looks up names of other zones itself: this server is not a resolver.
                if zones.holding(&target).is_none_or(|z| !std::ptr::eq(z, zone)) {
                    return reply;
                }
                name = target;
            }
            end => {
                finish(&mut reply, end);
                return reply;
            }
        }
    }
    reply
}

/// Answers as a network's resolver: its own zones first, then the public ones, then (`forward`) the upstream.
pub(crate) fn resolver(
    zones: &[&Zones],
    name: &Name,
    kind: RecordType,
    has_upstream: bool,
    dice: &mut dyn RngCore,
) -> Reply {
    let mut reply = Reply { recursion_available: true, ..Reply::code(ResponseCode::NoError) };
    if matches!(kind, RecordType::AXFR | RecordType::IXFR) {
        reply.code = ResponseCode::Refused;
        return reply;
    }
    let mut name = name.clone();
    for _ in 0..limits::CNAME_LINKS {
        let found = match zones.iter().find_map(|zones| zones.holding(&name)) {
            Some(zone) => find(zone, &name, kind, dice),
            // A name that no zone contains is treated like one that is delegated elsewhere.
            None => Found::Referral { ns: Vec::new(), glue: Vec::new() },
        };
        match found {
            // Neither an unknown name nor a delegated one can be answered here; the upstream continues from this name.
            Found::Referral { .. } if has_upstream => {
                reply.forward = Some(name);
                return reply;
            }
            // There is no server to ask: answer as a resolver that cannot reach any authority.
            Found::Referral { .. } => {
                reply.code = ResponseCode::ServFail;
                return reply;
            }
            Found::Cname { record, target } => {
                reply.answers.push(record);
                name = target;
            }
            end => {
                finish(&mut reply, end);
                return reply;
            }
        }
    }
    reply.code = ResponseCode::ServFail;
    reply
}

fn finish(reply: &mut Reply, found: Found) {
    match found {
        Found::Answer(records) => reply.answers.extend(records),
        Found::NoData(soa) => reply.authority.push(soa),
        Found::NoSuchName(soa) => {
            reply.code = ResponseCode::NXDomain;
            reply.authority.push(soa);
        }
        Found::Cname { .. } | Found::Referral { .. } => {}
    }
}

/// The result of looking up a question in one zone.
enum Found {
    Answer(Vec<Record>),
    Cname {
        record: Record,
        target: Name,
    },
    Referral {
        ns: Vec<Record>,
        glue: Vec<Record>,
    },
    /// The name exists without records of this kind. Contains the SOA.
    NoData(Record),
    NoSuchName(Record),
}

fn find(zone: &Zone, name: &Name, kind: RecordType, dice: &mut dyn RngCore) -> Found {
    if let Some(referral) = referral(zone, name, kind, dice) {
        return referral;
    }
    let soa = || Record::from_rdata(zone.apex.clone(), zone.negative_ttl, zone.soa.clone());
    let Some(node) = zone.node(name) else { return Found::NoSuchName(soa()) };
    // Only a question for the CNAME itself is answered with the record alone (RFC 1034 section 3.6.2).
    if let Some(cname) = node.get(&Kind::CNAME).filter(|_| kind != RecordType::CNAME) {
        let (ttl, mut data) = pick(cname, dice);
        return match data.pop() {
            Some(RData::CNAME(target)) => Found::Cname {
                target: target.0.clone(),
                record: Record::from_rdata(name.clone(), ttl, RData::CNAME(target)),
            },
            _ => Found::NoData(soa()),
        };
    }
    if kind == RecordType::ANY {
        return if node.is_empty() { Found::NoData(soa()) } else { Found::Answer(vec![minimal_any(name)]) };
    }
    let set = Kind::ALL.iter().find(|k| k.record_type() == kind).and_then(|k| node.get(k));
    match set.map(|set| pick(set, dice)) {
        Some((ttl, data)) if !data.is_empty() => Found::Answer(records(name, ttl, data)),
        _ => Found::NoData(soa()),
    }
}

/// Whether the name is at or below a zone cut: an NS set below the apex.
fn referral(zone: &Zone, name: &Name, kind: RecordType, dice: &mut dyn RngCore) -> Option<Found> {
    let mut path: Vec<Name> = above(name).take_while(|n| *n != zone.apex).collect();
    path.reverse();
    // Topmost first: a cut hides everything below it.
    let (cut, ns) = path.into_iter().find_map(|n| {
        let set = zone.nodes.get(&n)?.get(&Kind::NS)?;
        Some((n, set))
    })?;
    // The DS record of a delegated zone is in the parent, above the cut (RFC 4035 section 3.1.4.1).
    if kind == RecordType::DS && cut == *name {
        return None;
    }
    let (ttl, data) = pick(ns, dice);
    let mut glue = Vec::new();
    // Glue is given only for name servers inside of this zone: others are not its data.
    for host in data.iter().filter_map(|d| d.as_ns()).filter(|host| zone.apex.zone_of(host)) {
        let Some(node) = zone.nodes.get(&host.0) else { continue };
        for kind in [Kind::A, Kind::AAAA] {
            if let Some((ttl, data)) = node.get(&kind).map(|set| pick(set, dice)) {
                glue.extend(records(&host.0, ttl, data));
            }
        }
    }
    Some(Found::Referral { ns: records(&cut, ttl, data), glue })
}

fn records(name: &Name, ttl: u32, data: Vec<RData>) -> Vec<Record> {
    data.into_iter().map(|d| Record::from_rdata(name.clone(), ttl, d)).collect()
}

/// RFC 8482 section 4.2: one small record instead of all records.
fn minimal_any(name: &Name) -> Record {
    Record::from_rdata(name.clone(), 3600, RData::HINFO(HINFO::new("RFC8482".to_owned(), String::new())))
}

/// Chooses the values of a set: all values of a simple one in random order, up to eight of a multivalue one, one member of a
/// weighted one.
fn pick(set: &Set, dice: &mut dyn RngCore) -> (u32, Vec<RData>) {
    match set {
        Set::Values { ttl, data } => {
            let mut data = data.clone();
            data.shuffle(dice);
            (*ttl, data)
        }
        Set::Multivalue(members) => {
            let mut order: Vec<usize> = (0..members.len()).collect();
            order.shuffle(dice);
            let (mut ttl, mut all) = (u32::MAX, Vec::new());
            for at in order.into_iter().take(limits::MULTIVALUE_ANSWERS) {
                let (member_ttl, data) = pick(&members[at], dice);
                ttl = ttl.min(member_ttl);
                all.extend(data);
            }
            all.truncate(limits::MULTIVALUE_ANSWERS);
            (ttl, all)
        }
        Set::Weighted(members) => {
            let sum: u32 = members.iter().map(|(weight, _)| u32::from(*weight)).sum();
            if sum == 0 {
                return pick(&members[dice.random_range(0..members.len())].1, dice);
            }
            let mut left = dice.random_range(0..sum);
            for (weight, member) in members {
                match left.checked_sub(u32::from(*weight)) {
                    Some(rest) => left = rest,
                    None => return pick(member, dice),
                }
            }
            (0, Vec::new())
        }
    }
}

#[cfg(test)]
#[path = "lookup_tests.rs"]
mod tests;
