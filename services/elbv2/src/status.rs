//! AWS's states, computed from the desired and the observed state.

use crate::{choices::TargetHealthReason, rules};
use escale_base::choice;
use escale_store::Image;
use escale_tables::ec2::ZoneName;
use escale_tables::elbv2::{BalancerSeen, LoadBalancer, Target, TargetHealth, TargetHealthState, TargetSeen};

choice! {
    pub(crate) enum BalancerState {
        Provisioning = "provisioning",
        Active = "active",
        ActiveImpaired = "active_impaired",
        Failed = "failed",
    }
}

/// Active once the plane has applied a specification; impaired if it then refused a later one.
pub(crate) fn balancer(image: &Image, row: &LoadBalancer) -> (BalancerState, Option<String>) {
    let Some(seen) = image.get::<BalancerSeen>(&row.arn) else {
        return (BalancerState::Provisioning, None);
    };
    let why = seen.fault.as_ref().map(|f| f.what.clone());
    let state = match (&seen.applied, &seen.fault) {
        (Some(_), None) => BalancerState::Active,
        (Some(_), Some(_)) => BalancerState::ActiveImpaired,
        // A fault that a retry may fix is no failure yet.
        (None, Some(fault)) if !fault.retry => BalancerState::Failed,
        (None, _) => BalancerState::Provisioning,
    };
    (state, why)
}

/// Source: <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html>
pub(crate) struct Health {
    pub state: TargetHealthState,
    pub reason: Option<TargetHealthReason>,
    pub description: Option<String>,
}

impl Health {
    fn of(state: TargetHealthState, reason: TargetHealthReason, description: impl Into<String>) -> Health {
        Health { state, reason: Some(reason), description: Some(description.into()) }
    }

    pub(crate) fn not_registered() -> Health {
        let text = "Target is not registered to the target group";
        Health::of(TargetHealthState::Unused, TargetHealthReason::TargetNotRegistered, text)
    }
}

pub(crate) fn target(image: &Image, target: &Target) -> Health {
    if target.draining.is_some() {
        let text = "Target deregistration is in progress";
        return Health::of(
            TargetHealthState::Draining,
            TargetHealthReason::TargetDeregistrationInProgress,
            text,
        );
    }
    let balancers = rules::balancers_of(image, &target.group);
    let Some(balancer) = balancers.first().and_then(|arn| image.get::<LoadBalancer>(arn)) else {
        let text = "Target group is not configured to receive traffic from the load balancer";
        return Health::of(TargetHealthState::Unused, TargetHealthReason::TargetNotInUse, text);
    };
    let enabled = |zone: &ZoneName| balancer.nodes.iter().any(|n| n.zone == *zone);
    if target.zone.as_ref().is_some_and(|z| !enabled(z)) {
        let text = "Target is in an Availability Zone that is not enabled for the load balancer";
        return Health::of(TargetHealthState::Unused, TargetHealthReason::TargetNotInUse, text);
    }
    let seen = image.get::<TargetSeen>(&Target::key_of(&target.group, target.ip, target.port));
    let Some(seen) = seen else {
        let text = "Target registration is in progress";
        return Health::of(TargetHealthState::Initial, TargetHealthReason::ElbRegistrationInProgress, text);
    };
    match &seen.health {
        TargetHealth::Healthy => {
            Health { state: TargetHealthState::Healthy, reason: None, description: None }
        }
        TargetHealth::WrongStatus(status) => Health::of(
            TargetHealthState::Unhealthy,
            TargetHealthReason::TargetResponseCodeMismatch,
            format!("Health checks failed with these codes: [{status}]"),
        ),
        TargetHealth::TimedOut => {
            Health::of(TargetHealthState::Unhealthy, TargetHealthReason::TargetTimeout, "Request timed out")
        }
        TargetHealth::Refused | TargetHealth::NotHttp | TargetHealth::Unreachable(_) => Health::of(
            TargetHealthState::Unhealthy,
            TargetHealthReason::TargetFailedHealthChecks,
            "Health checks failed",
        ),
        TargetHealth::Unused => {
            let text = "Target group is not configured to receive traffic from the load balancer";
            Health::of(TargetHealthState::Unused, TargetHealthReason::TargetNotInUse, text)
        }
        // The row is not draining (checked above): it was registered again, and the plane does not know that yet.
        TargetHealth::Initial | TargetHealth::InitialFailing(_) | TargetHealth::Draining => Health::of(
            TargetHealthState::Initial,
            TargetHealthReason::ElbInitialHealthChecking,
            "Initial health checks in progress",
        ),
    }
}
