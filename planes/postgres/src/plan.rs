//! Plans the next step from the spec, the record and the observation. Pure.

use crate::{
    record::Record,
    spec::{DatabaseSpec, Protection},
};

/// One idempotent step. After a crash within it, the next plan continues from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make the first data, and start a server on it.
    Create(String),
    /// Write a node's settings; reload them if it runs.
    Configure(String),
    Start(String),
    /// Wait for a server that is running and does not answer yet.
    Await(String),
    Stop(String),
    /// Kill a server that accepts writes and is not the primary, before anything else happens.
    Fence(String),
    /// Replace a killed standby whose processes do not end: its data and its port are left to them.
    LeaveBehind(String),
    Promote(String),
    Bootstrap,
    /// Create the table that the heartbeats are written to.
    PrepareHeartbeat,
    SetPassword,
    /// Copy or rewind a standby's data.
    Rebuild(String),
    AwaitStreaming(String),
    /// Remove the replication slot of a copy that no longer follows the primary.
    DropSlot(String),
    /// Make commits wait for the standby.
    Arm,
    /// Prove that commits wait; from then on a failover is allowed.
    Prove,
    /// Make commits stop waiting.
    Disarm,
    /// Remove a node that is no longer in the spec.
    Remove(String),
    /// Record that the servers, none of which runs, will listen on the spec's port.
    SetPort,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) nodes: Vec<Node>,
    /// The admin's desired password differs from the one last set.
    pub(crate) password_differs: bool,
    /// Slots on the primary of no server that follows it.
    pub(crate) stale_slots: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) has_data: bool,
    pub(crate) running: bool,
    pub(crate) configured: bool,
    /// `None`: the server does not answer.
    pub(crate) in_recovery: Option<bool>,
    /// Whether the primary, or the primary of its source, reports it as streaming.
    pub(crate) streaming: bool,
    /// It was killed and cannot end yet: its processes are frozen, or wait for a disk.
    pub(crate) dying: bool,
    /// A copy that runs with a limit below its source's, and so replays nothing.
    pub(crate) too_low: bool,
}

/// `None`: the database matches the spec.
pub(crate) fn next(spec: &DatabaseSpec, record: &Record, seen: &Seen) -> Option<Step> {
    let none = Node::default();
    let find = |name: &str| seen.nodes.iter().find(|n| n.name == name).unwrap_or(&none);
    let primary = find(&record.primary);
    let standby = record.standby().map(|n| find(&n.name));
    let name = || record.primary.clone();
    // The primary first: its shutdown sends all remaining WAL to the standby.
    let up = [Some(primary), standby].into_iter().flatten().find(|n| n.running);
    if !spec.running {
        return up.map(|n| Step::Stop(n.name.clone()));
    }
    // A failover is completed first: it does not depend on the end of the old primary.
    if record.moving.is_some() && primary.running {
        return Some(Step::Promote(name()));
    }
    if record.port != spec.port {
        // A server listens on its port until it ends. Both change together, or the standby would not find the primary.
        return Some(up.map_or(Step::SetPort, |n| Step::Stop(n.name.clone())));
    }
    if record.source.is_some() {
        return of_replica(spec, record, primary);
    }
    if let Some(s) = standby
        && s.running
        && !s.dying
        // Accepts writes although it is not the primary, or has data that diverged from the primary's.
        && (s.in_recovery == Some(false) || record.rebuild.contains(&s.name))
    {
        return Some(Step::Fence(s.name.clone()));
    }
    // The primary could not be started: a whole standby may take over, and must run for that.
    if let Some(s) = standby
        && record.unstartable
        && record.protection == Protection::Protected
        && !primary.running
        && !s.running
        && s.has_data
        && s.configured
    {
        return Some(Step::Start(s.name.clone()));
    }
    of_primary(spec, record, seen, primary).or_else(|| with_standby(spec, record, standby))
}

/// The next step for the primary itself; `None` when it accepts writes with the spec's settings.
fn of_primary(spec: &DatabaseSpec, record: &Record, seen: &Seen, primary: &Node) -> Option<Step> {
    let name = || record.primary.clone();
    Some(match primary {
        p if !record.bootstrapped && !p.running => Step::Create(name()),
        p if !p.running && !p.configured => Step::Configure(name()),
        p if !p.running => Step::Start(name()),
        p => match p.in_recovery {
            None => Step::Await(name()),
            Some(true) => Step::Promote(name()),
            Some(false) if !p.configured => Step::Configure(name()),
            Some(false) if !record.bootstrapped => Step::Bootstrap,
            Some(false) if !record.heartbeat => Step::PrepareHeartbeat,
            Some(false) if seen.password_differs => Step::SetPassword,
            Some(false) => {
                let gone = record.nodes.iter().find(|n| spec.node(&n.name).is_none());
                let stale = || seen.stale_slots.first().cloned().map(Step::DropSlot);
                return gone.map(|n| Step::Remove(n.name.clone())).or_else(stale);
            }
        },
    })
}

/// The next step for the only server of a copy, up to the end of its promotion.
fn of_replica(spec: &DatabaseSpec, record: &Record, s: &Node) -> Option<Step> {
    let name = || record.primary.clone();
    let follows = spec.source.is_some();
    Some(match s.in_recovery {
        // It accepts writes: its data is no copy any more.
        Some(false) if follows && s.running => Step::Fence(name()),
        _ if !s.has_data || record.rebuild.contains(&record.primary) => Step::Rebuild(name()),
        _ if !s.running && !s.configured => Step::Configure(name()),
        _ if !s.running => Step::Start(name()),
        None => Step::Await(name()),
        Some(true) if !follows => Step::Promote(name()),
        Some(_) if !s.configured => Step::Configure(name()),
        Some(true) if s.too_low => Step::Stop(name()),
        Some(true) if !s.streaming => Step::AwaitStreaming(name()),
        Some(true) => return None,
        // Promoted: the roles get their passwords, and the record forgets the source.
        Some(false) => Step::Bootstrap,
    })
}

/// Whether the primary matches the spec, so that only its standby is missing.
pub(crate) fn primary_matches(spec: &DatabaseSpec, record: &Record, seen: &Seen) -> bool {
    let primary = seen.nodes.iter().find(|n| n.name == record.primary);
    if record.source.is_some() {
        return primary.is_some_and(|p| of_replica(spec, record, p).is_none());
    }
    spec.running
        && record.running
        && record.moving.is_none()
        && record.port == spec.port
        && primary.is_some_and(|p| of_primary(spec, record, seen, p).is_none())
}

/// The primary is healthy; plans for its standby.
fn with_standby(spec: &DatabaseSpec, record: &Record, standby: Option<&Node>) -> Option<Step> {
    let s = standby?;
    let name = || s.name.clone();
    if s.running && s.dying {
        return Some(Step::LeaveBehind(name()));
    }
    if !s.has_data || record.rebuild.contains(&s.name) {
        return Some(Step::Rebuild(name()));
    }
    if !s.configured {
        return Some(Step::Configure(name()));
    }
    if !s.running {
        return Some(Step::Start(name()));
    }
    if s.in_recovery.is_none() {
        return Some(Step::Await(name()));
    }
    if !s.streaming {
        return Some(Step::AwaitStreaming(name()));
    }
    match (record.protection, spec.synchronous) {
        (Protection::Alone, true) => Some(Step::Arm),
        (Protection::Arming, true) => Some(Step::Prove),
        (Protection::Arming | Protection::Protected, false) => Some(Step::Disarm),
        _ => None,
    }
}
