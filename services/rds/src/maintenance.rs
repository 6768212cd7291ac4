//! Minor upgrades: pending while a newer release is installed than the servers run, applied at once on request or in the
//! maintenance window.
//!
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_UpgradeDBInstance.Maintenance.html>

use crate::{events, reconcile, rules, windows};
use escale_base::{Timestamp, Wire};
use escale_engine::StepError;
use escale_service::{Cloud, Config, Cx};
use escale_store::{Image, Store, StoreError, Tx};
use escale_tables::rds::{Instance, InstanceSeen, OptIn};

/// AWS's name of the action.
pub(crate) const ACTION: &str = "db-upgrade";

/// When a pending upgrade begins; `None` if there is none, or nobody wants it.
pub(crate) fn due(instance: &Instance, seen: &InstanceSeen, now: Timestamp) -> Option<Timestamp> {
    seen.outdated.as_ref()?;
    // One that has begun is completed, even after the end of the window.
    if instance.upgrade == Some(OptIn::Immediate) || seen.upgrading.is_some() {
        return Some(now);
    }
    let wanted =
        instance.upgrade == Some(OptIn::NextMaintenance) || instance.recorded.auto_minor_version_upgrade;
    let (begin, end) = windows::maintenance(&instance.recorded.maintenance_window, now);
    wanted.then(|| if now < end { now } else { begin.plus_ms(windows::WEEK_MS) })
}

/// Records that the upgrade begins. The message is AWS's:
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.Messages.html>
pub(crate) fn begin(store: &Store, cloud: &Cloud, id: &str) -> Result<(), StepError> {
    let now = cloud.clock.now();
    store.write(|tx| {
        let Some(seen) = tx.get::<InstanceSeen>(id).filter(|s| s.upgrading.is_none()) else { return Ok(()) };
        let Some(outdated) = seen.outdated.clone() else { return Ok(()) };
        let message = "Applying off-line patches to DB instance.";
        events::instance(tx, &cloud.config, now, id, "maintenance", message);
        tx.put(InstanceSeen { upgrading: Some(outdated.installed), at: now, ..(*seen).clone() });
        Ok::<(), StoreError>(())
    })?;
    Ok(())
}

/// Records the end of an upgrade, once all servers are up again, and a newly found one.
pub(crate) fn settle(
    tx: &mut Tx,
    config: &Config,
    now: Timestamp,
    instance: &Instance,
    seen: &mut InstanceSeen,
) {
    let before = tx.get::<InstanceSeen>(&instance.id);
    if let Some(outdated) = &seen.outdated
        && seen.upgrading.is_none()
        && before.is_some_and(|b| b.outdated.is_none())
    {
        let message = format!(
            "The DB instance has a DB engine minor version upgrade available: it runs {}, and {} is installed.",
            outdated.runs, outdated.installed
        );
        events::instance(tx, config, now, &instance.id, "maintenance", &message);
    }
    if seen.outdated.is_some() || !reconcile::is_complete(instance, seen) {
        return;
    }
    if let Some(release) = seen.upgrading.take() {
        let message =
            format!("Finished applying off-line patches to DB instance. It runs PostgreSQL {release}.");
        events::instance(tx, config, now, &instance.id, "maintenance", &message);
        tx.update(&instance.id, |i: &mut Instance| i.upgrade = None);
    }
}

#[derive(Debug, Wire)]
pub(crate) struct ResourceActions {
    pub resource_identifier: String,
    pub pending_maintenance_action_details: Vec<Action>,
}

#[derive(Debug, Wire)]
pub(crate) struct Action {
    pub action: &'static str,
    pub auto_applied_after_date: Option<Timestamp>,
    pub opt_in_status: Option<OptIn>,
    pub current_apply_date: Option<Timestamp>,
    pub description: String,
}

/// The pending upgrade of an instance.
pub(crate) fn pending(cx: &Cx<'_>, image: &Image, instance: &Instance) -> Option<ResourceActions> {
    let seen = image.get::<InstanceSeen>(&instance.id)?;
    let outdated = seen.outdated.as_ref()?;
    let at = due(instance, &seen, cx.now);
    let is_automatic = instance.recorded.auto_minor_version_upgrade;
    let action = Action {
        action: ACTION,
        auto_applied_after_date: at.filter(|_| is_automatic),
        opt_in_status: instance.upgrade,
        current_apply_date: at,
        description: format!(
            "Minor version upgrade from PostgreSQL {} to {}",
            outdated.runs, outdated.installed
        ),
    };
    Some(ResourceActions {
        resource_identifier: rules::arn(cx, "db", &instance.id),
        pending_maintenance_action_details: vec![action],
    })
}
