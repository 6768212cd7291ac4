//! The history of a service's deployments. The scheduler decides from the service's row alone; this remembers what it did.
//!
//! Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html>

use crate::{Error, deploy};
use escale_base::{Timestamp, ids};
use escale_store::{Image, Row, Tx};
use escale_tables::ecs::{
    Deployment, DeploymentEnd, DeploymentId, Ending, LifecycleStage, Outcome, Rollback, RolloutConfiguration,
    Service, ServiceDeployment, ServiceDeploymentId, Traffic,
};
use std::sync::Arc;

/// How many deployments of a service are remembered. AWS keeps those of 90 days.
const KEPT: usize = 100;

/// Remembers the newest deployment of a service, which has just begun. It replaces one that is in progress.
pub(crate) fn begin(tx: &mut Tx, service: &Service, now: Timestamp) {
    let Some(target) = service.deployments.first().cloned() else { return };
    let key = service.key();
    end(tx, &key, now, Ending::Stopped, "A newer deployment of the service replaced it.", 0);
    let row = ServiceDeployment {
        id: ServiceDeploymentId(ids::random_hex(20)),
        service: key.as_str().into(),
        sources: service.deployments.iter().skip(1).map(|d| d.id.clone()).collect(),
        configuration: RolloutConfiguration::of(service),
        target,
        created: now,
        rollback: None,
        end: None,
        traffic: None,
    };
    tx.put(row);
    let all = of(tx, &key);
    for old in all.iter().skip(KEPT) {
        tx.delete::<ServiceDeployment>(&old.key());
    }
}

/// All that are remembered of a service, the newest first.
pub(crate) fn of(image: &Image, key: &str) -> Vec<Arc<ServiceDeployment>> {
    let mut all: Vec<_> = image.prefix::<ServiceDeployment>(&format!("{key}/")).collect();
    all.sort_by_key(|d| std::cmp::Reverse((d.created, d.end.is_none())));
    all
}

/// The one that is in progress.
pub(crate) fn current(image: &Image, key: &str) -> Option<Arc<ServiceDeployment>> {
    of(image, key).into_iter().find(|d| d.end.is_none())
}

/// Records how the deployment in progress ended, if there is one.
pub(crate) fn end(tx: &mut Tx, key: &str, at: Timestamp, how: Ending, reason: &str, failed_tasks: u32) {
    let Some(row) = current(tx, key) else { return };
    let reason = reason.to_owned();
    let end = DeploymentEnd { at, how, reason, failed_tasks };
    let traffic = traffic(tx, &row).or(row.traffic.clone());
    tx.update(&row.key(), |d: &mut ServiceDeployment| (d.end, d.traffic) = (Some(end), traffic));
}

/// The progress of the shift to the deployment's target.
pub(crate) fn traffic(image: &Image, row: &ServiceDeployment) -> Option<Traffic> {
    let service = image.get::<Service>(&row.service)?;
    let target = service.deployments.iter().find(|d| d.id == row.target.id)?;
    target.traffic.clone()
}

/// Records that the deployment in progress rolls back to a revision.
pub(crate) fn rolls_back(tx: &mut Tx, key: &str, at: Timestamp, to: &DeploymentId, reason: &str) {
    let Some(row) = current(tx, key) else { return };
    let rollback = Rollback { at, to: to.clone(), reason: reason.to_owned() };
    let traffic = traffic(tx, &row);
    tx.update(&row.key(), |d: &mut ServiceDeployment| (d.rollback, d.traffic) = (Some(rollback), traffic));
}

/// The newest deployment of a service is complete.
pub(crate) fn complete(tx: &mut Tx, key: &str, at: Timestamp) {
    let Some(row) = current(tx, key) else { return };
    match &row.rollback {
        None => end(tx, key, at, Ending::Successful, "", 0),
        Some(rollback) => {
            let reason = rollback.reason.clone();
            end(tx, key, at, Ending::RollbackSuccessful, &reason, 0);
        }
    }
}

/// The revision with this id, in the service or in its history.
pub(crate) fn revision(image: &Image, key: &str, id: &str) -> Option<Deployment> {
    let service = image.get::<Service>(key)?;
    let live = service.deployments.iter().find(|d| number(&d.id) == id).cloned();
    live.or_else(|| of(image, key).iter().find(|d| number(&d.target.id) == id).map(|d| d.target.clone()))
}

/// The digits of a deployment's id, which are also those of its revision's ARN.
pub(crate) fn number(id: &DeploymentId) -> &str {
    id.rsplit('/').next().unwrap_or_default()
}

/// Stops the newest deployment: its tasks stay as they are, or the service returns to the last revision that was complete.
pub(crate) fn stop(tx: &mut Tx, service: &mut Service, rolls: bool, now: Timestamp) -> Result<(), Error> {
    let key = service.key();
    let is_rollback = current(tx, &key).is_some_and(|d| d.rollback.is_some());
    if rolls {
        if is_rollback {
            return Err(Error::Conflict("The deployment is being rolled back already.".into()));
        }
        const REASON: &str = "Service deployment rolled back because of a request to stop it.";
        return roll_back(tx, service, REASON, now);
    }
    if let Some(newest) = service.deployments.first_mut() {
        newest.outcome = Outcome::Failed;
        newest.reason = format!("ECS deployment {} was stopped by a request.", newest.id);
    }
    let how = if is_rollback { Ending::RollbackFailed } else { Ending::Stopped };
    end(tx, &key, now, how, "Service deployment stopped by a request.", 0);
    Ok(())
}

/// Returns to the last revision that was complete, because of a request.
pub(crate) fn roll_back(
    tx: &mut Tx,
    service: &mut Service,
    reason: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(newest) = service.deployments.first_mut() else { return Err(Error::NoService) };
    if newest.traffic.as_ref().is_some_and(|traffic| traffic.stage == LifecycleStage::CleanUp) {
        return Err(Error::Conflict(
            "The deployment is at its end: the tasks of the revision before are being stopped. Update the service to return to it."
                .into(),
        ));
    }
    newest.outcome = Outcome::Failed;
    let back = deploy::roll_back(service, now, "stopped by a request").ok_or_else(|| {
        Error::Conflict(
            "The service has no revision to return to: none was complete before this deployment. Use ABORT to stop it."
                .into(),
        )
    })?;
    rolls_back(tx, &service.key(), now, &back, reason);
    Ok(())
}
