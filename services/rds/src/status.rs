//! Derives AWS's statuses from wish and observation. They are never stored.

use crate::{reconcile, replicas};
use escale_base::Timestamp;
use escale_store::Image;
use escale_tables::rds::{Instance, InstanceSeen, Node, Replication, Role, Snapshot, SnapshotSeen};

escale_base::choice! {
    pub(crate) enum Status {
        Available = "available",
        BackingUp = "backing-up",
        Creating = "creating",
        Deleting = "deleting",
        Failed = "failed",
        IncompatibleParameters = "incompatible-parameters",
        Modifying = "modifying",
        Rebooting = "rebooting",
        Starting = "starting",
        Stopped = "stopped",
        Stopping = "stopping",
        Upgrading = "upgrading",
    }
}

/// As on AWS, the status describes the server that clients connect to: `available` is "healthy and available", `modifying` is a
/// change that the customer requested. So a Multi-AZ instance is
///
/// - `creating` until its synchronous standby streams: only then the first wish is enacted;
/// - `modifying` while a standby is added because the customer requested one;
/// - `available` while an existing standby is rebuilt, after a failover or its own failure: the primary accepts writes.
///
/// During that rebuild [`standby`], and with it `SecondaryAvailabilityZone`, is empty, and [`replication`] reports the state.
/// `MultiAZ` stays true: it is the kind of deployment.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Overview.DBInstance.Status.html>
pub(crate) fn instance(image: &Image, wish: &Instance) -> Status {
    let seen = image.get::<InstanceSeen>(&wish.id);
    let Some(seen) = seen.as_deref() else {
        return if wish.deletion.is_some() { Status::Deleting } else { Status::Creating };
    };
    let current = reconcile::fingerprint(image, wish).ok();
    let enacted = seen.enacted.is_some() && seen.enacted == current;
    let rebooted = has_rebooted(wish, seen);
    // The first match wins: a deletion hides all other states, and a stop hides changes.
    match &seen.enacted {
        _ if wish.deletion.is_some() => Status::Deleting,
        None if seen.error.is_some() => Status::Failed,
        None => Status::Creating,
        Some(_) if !wish.running && enacted && seen.nodes.iter().all(|n| n.role == Role::Down) => {
            Status::Stopped
        }
        Some(_) if !wish.running => Status::Stopping,
        Some(last) if reconcile::is_stopped(last) => Status::Starting,
        Some(_) if !rebooted => Status::Rebooting,
        Some(_) if !enacted && has_failed(seen, current.as_deref()) => Status::IncompatibleParameters,
        Some(_) if !enacted => Status::Modifying,
        Some(_) if seen.upgrading.is_some() => Status::Upgrading,
        // The server is down or restarts.
        Some(_) if !replicas::serves(wish, seen) => Status::Rebooting,
        Some(_) if pending_snapshot(image, wish) => Status::BackingUp,
        Some(_) => Status::Available,
    }
}

/// When a stopped instance starts by itself: after seven days, as on AWS.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_StopInstance.html>
pub(crate) fn restarts(wish: &Instance) -> Option<Timestamp> {
    wish.stopped.filter(|_| !wish.running).map(|at| at.plus_ms(STOPPED_MS))
}

const STOPPED_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// Whether the last requested reboot is done.
pub(crate) fn has_rebooted(wish: &Instance, seen: &InstanceSeen) -> bool {
    wish.reboot.as_ref().is_none_or(|r| seen.rebooted.is_some_and(|at| at >= r.asked))
}

/// Whether the current wish failed. An older wish that failed does not count: its correction is still to be enacted.
fn has_failed(seen: &InstanceSeen, current: Option<&str>) -> bool {
    seen.error.is_some() && current.is_some() && seen.failed.as_deref() == current
}

/// Whether a snapshot of this instance is in progress.
pub(crate) fn pending_snapshot(image: &Image, wish: &Instance) -> bool {
    image
        .scan::<Snapshot>()
        .filter(|s| s.resource_id == wish.resource_id && s.copy_of.is_none())
        .any(|s| !s.deleted && !image.has::<SnapshotSeen>(&s.id))
}

pub(crate) fn snapshot(image: &Image, row: &Snapshot) -> &'static str {
    match image.has::<SnapshotSeen>(&row.id) {
        _ if row.deleted => "deleting",
        true => "available",
        false => "creating",
    }
}

/// The standby, if it runs and has every commit: it could take over now.
pub(crate) fn standby<'a>(wish: &'a Instance, seen: &InstanceSeen) -> Option<&'a Node> {
    let node = wish.nodes.iter().find(|n| n.name != seen.primary)?;
    (seen.replication == Replication::Protected && runs(seen, &node.name)).then_some(node)
}

fn runs(seen: &InstanceSeen, standby: &str) -> bool {
    seen.nodes.iter().any(|n| n.name == standby && n.role == Role::Standby)
}

/// The state of the standby: whether it is normal, a status in AWS's style, and a message.
pub(crate) fn replication(seen: &InstanceSeen) -> Option<(bool, &'static str, &'static str)> {
    let runs = seen.nodes.iter().any(|n| n.name != seen.primary && runs(seen, &n.name));
    match seen.replication {
        Replication::None => None,
        // Commits still wait for the standby for a moment, since it may return at once.
        Replication::Protected if !runs => Some((false, "stopped", "The standby does not answer")),
        Replication::Protected => Some((true, "replicating", "The standby has every commit")),
        Replication::CatchingUp => {
            Some((false, "synchronizing", "The standby is catching up; a failover is refused until then"))
        }
        Replication::Degraded => Some((
            false,
            "stopped",
            "The standby failed and commits no longer wait for it; it is being rebuilt",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use escale_tables::rds::{Deletion, NodeSeen, Reboot};

    #[test]
    fn status_follows_wish_and_observation() {
        let cloud = testing::FakeCloud::new();
        let wish = cloud.instance("db", false);
        let status_of = |wish: &Instance, seen: Option<InstanceSeen>| {
            let store = &cloud.store;
            store
                .write(|tx| {
                    tx.delete::<InstanceSeen>("db");
                    seen.into_iter().for_each(|s| tx.put(s));
                    Ok::<_, escale_store::StoreError>(())
                })
                .unwrap();
            instance(&store.read(), wish).as_str()
        };
        let current = reconcile::fingerprint(&cloud.store.read(), &wish).unwrap();
        let seen = InstanceSeen {
            id: "db".into(),
            enacted: Some(current),
            primary: wish.nodes[0].name.clone(),
            writable: true,
            nodes: vec![NodeSeen { name: wish.nodes[0].name.clone(), role: Role::Primary }],
            replication: Replication::None,
            pending_restart: vec![],
            rebooted: None,
            error: None,
            failed: None,
            watched: true,
            epoch: 0,
            restorable: None,
            archive_fails: None,
            wal_bytes: None,
            outdated: None,
            upgrading: None,
            follows: None,
            at: Timestamp(0),
        };
        assert_eq!(status_of(&wish, None), "creating");
        assert_eq!(status_of(&wish, Some(seen.clone())), "available");
        let failed = InstanceSeen { enacted: None, error: Some("no such zone".into()), ..seen.clone() };
        assert_eq!(status_of(&wish, Some(failed)), "failed");
        assert_eq!(status_of(&wish, Some(InstanceSeen { writable: false, ..seen.clone() })), "rebooting");
        let changed = Instance { revision: 7, ..wish.clone() };
        assert_eq!(status_of(&changed, Some(seen.clone())), "modifying");
        let reboot = Some(Reboot { asked: Timestamp(5), failover_from: None });
        assert_eq!(
            status_of(&Instance { reboot: reboot.clone(), ..wish.clone() }, Some(seen.clone())),
            "rebooting"
        );
        let done = InstanceSeen { rebooted: Some(Timestamp(5)), ..seen.clone() };
        assert_eq!(status_of(&Instance { reboot, ..wish.clone() }, Some(done)), "available");
        let stop = Instance { running: false, revision: 8, ..wish.clone() };
        assert_eq!(status_of(&stop, Some(seen.clone())), "stopping");
        let deletion = Some(Deletion { asked: Timestamp(5), final_snapshot: None });
        assert_eq!(status_of(&Instance { deletion, ..wish }, Some(seen)), "deleting");
    }
}
