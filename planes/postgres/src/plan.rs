//! Plans the next step from the spec, the record and the observation. Pure.

use crate::{
    record::Record,
    spec::{DatabaseSpec, Protection},
};
use std::collections::BTreeSet;

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
    Promote(String),
    Bootstrap,
    SetPassword,
    /// Copy or rewind a standby's data.
    Rebuild(String),
    AwaitStreaming(String),
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
    pub(crate) dark_zones: BTreeSet<String>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) has_data: bool,
    pub(crate) running: bool,
    pub(crate) configured: bool,
    /// `None`: the server does not answer.
    pub(crate) in_recovery: Option<bool>,
    /// Whether the primary reports it as streaming.
    pub(crate) streaming: bool,
}

/// `Ok(None)`: the database matches the spec. `Err`: the zone whose power is missing.
pub(crate) fn next(spec: &DatabaseSpec, record: &Record, seen: &Seen) -> Result<Option<Step>, String> {
    let none = Node::default();
    let find = |name: &str| seen.nodes.iter().find(|n| n.name == name).unwrap_or(&none);
    let primary = find(&record.primary);
    let standby = record.standby().map(|n| find(&n.name));
    let name = || record.primary.clone();
    // The primary first: its shutdown sends all remaining WAL to the standby.
    let up = [Some(primary), standby].into_iter().flatten().find(|n| n.running);
    if !spec.running {
        return Ok(up.map(|n| Step::Stop(n.name.clone())));
    }
    if record.port != spec.port {
        // A server listens on its port until it ends. Both change together, or the standby would not find the primary.
        return Ok(Some(up.map_or(Step::SetPort, |n| Step::Stop(n.name.clone()))));
    }
    if let Some(s) = standby
        && s.running
        // Accepts writes although it is not the primary, or has data that diverged from the primary's.
        && (s.in_recovery == Some(false) || record.rebuild.contains(&s.name))
    {
        return Ok(Some(Step::Fence(s.name.clone())));
    }
    let dark = |node: &str| record.node(node).ok().filter(|n| seen.dark_zones.contains(&n.zone));
    if let Some(node) = dark(&record.primary) {
        return Err(node.zone.clone());
    }
    let step = match primary {
        p if !record.bootstrapped && !p.running => Step::Create(name()),
        p if !p.running && !p.configured => Step::Configure(name()),
        p if !p.running => Step::Start(name()),
        p => match p.in_recovery {
            None => Step::Await(name()),
            Some(true) => Step::Promote(name()),
            Some(false) if !p.configured => Step::Configure(name()),
            Some(false) if !record.bootstrapped => Step::Bootstrap,
            Some(false) if seen.password_differs => Step::SetPassword,
            Some(false) => match record.nodes.iter().find(|n| spec.node(&n.name).is_none()) {
                Some(gone) => Step::Remove(gone.name.clone()),
                None => return Ok(with_standby(spec, record, standby, |n| dark(n).is_some())),
            },
        },
    };
    Ok(Some(step))
}

/// The primary is healthy; plans for its standby. A standby in a zone without power is left alone.
fn with_standby(
    spec: &DatabaseSpec,
    record: &Record,
    standby: Option<&Node>,
    dark: impl Fn(&str) -> bool,
) -> Option<Step> {
    let s = standby.filter(|s| !dark(&s.name))?;
    let name = || s.name.clone();
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
