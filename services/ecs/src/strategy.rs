//! Deployment strategies that shift traffic between two target groups: their configuration, and which group a deployment uses.

use crate::{Error, choices::HookTarget};
use escale_base::{AwsError, Timestamp, Wire};
use escale_tables::ecs::{
    ALL_TRAFFIC, Deployment, DeploymentStrategy, HookAction, HookStage, LifecycleStage, LoadBalancer,
    Outcome, PauseHook, Service, Share, Traffic, TrafficStep, TrafficStrategy,
};

/// AWS's defaults.
pub(crate) const BAKE_MINUTES: u32 = 15;
const LINEAR: TrafficStep = TrafficStep { share: 100, minutes: 6 };
const CANARY: TrafficStep = TrafficStep { share: 50, minutes: 10 };
const HOOK_MINUTES: u32 = 1440;
/// AWS's limit for each of the times: a day.
const MOST_MINUTES: u32 = 1440;

#[derive(Clone, Debug, Default, Wire)]
#[wire(camelCase)]
pub(crate) struct LinearShape {
    step_percent: Option<f64>,
    step_bake_time_in_minutes: Option<u32>,
}

#[derive(Clone, Debug, Default, Wire)]
#[wire(camelCase)]
pub(crate) struct CanaryShape {
    canary_percent: Option<f64>,
    canary_bake_time_in_minutes: Option<u32>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct HookInput {
    target_type: Option<HookTarget>,
    hook_target_arn: Option<String>,
    role_arn: Option<String>,
    lifecycle_stages: Vec<HookStage>,
    timeout_configuration: Option<TimeoutShape>,
}

#[derive(Clone, Debug, Default, Wire)]
#[wire(camelCase)]
pub(crate) struct TimeoutShape {
    timeout_in_minutes: Option<u32>,
    action: Option<HookAction>,
}

#[derive(Clone, Debug, Wire)]
#[wire(camelCase)]
pub(crate) struct HookShape {
    target_type: HookTarget,
    lifecycle_stages: Vec<HookStage>,
    timeout_configuration: TimeoutShape,
}

/// The members of a deployment configuration that concern the strategy.
#[derive(Default)]
pub(crate) struct StrategyInput {
    pub kind: Option<DeploymentStrategy>,
    pub bake_minutes: Option<u32>,
    pub linear: Option<LinearShape>,
    pub canary: Option<CanaryShape>,
    pub hooks: Option<Vec<HookInput>>,
}

impl StrategyInput {
    /// The strategy of a service after a request. What the request does not set stays as it was, unless the strategy is another one.
    pub(crate) fn apply(self, before: Option<TrafficStrategy>) -> Result<Option<TrafficStrategy>, Error> {
        let old_kind = before.as_ref().map_or(DeploymentStrategy::Rolling, |before| before.kind);
        let kind = self.kind.unwrap_or(old_kind);
        if kind == DeploymentStrategy::Rolling {
            self.check_rolling()?;
            return Ok(None);
        }
        let before = before.filter(|before| before.kind == kind);
        let old_step = before.as_ref().and_then(|before| before.step);
        for (has, of) in [
            (self.linear.is_some(), DeploymentStrategy::Linear),
            (self.canary.is_some(), DeploymentStrategy::Canary),
        ] {
            if has && of != kind {
                return Err(Error::Invalid(format!(
                    "The configuration for the strategy {of} is set, but the strategy is {kind}."
                )));
            }
        }
        let step = match kind {
            DeploymentStrategy::Linear => {
                let given = self.linear.unwrap_or_default();
                let least = 30;
                let given = (given.step_percent, given.step_bake_time_in_minutes);
                Some(step("stepPercent", least, given, old_step.unwrap_or(LINEAR))?)
            }
            DeploymentStrategy::Canary => {
                let given = self.canary.unwrap_or_default();
                let given = (given.canary_percent, given.canary_bake_time_in_minutes);
                Some(step("canaryPercent", 1, given, old_step.unwrap_or(CANARY))?)
            }
            DeploymentStrategy::Rolling | DeploymentStrategy::BlueGreen => None,
        };
        let old_bake = before.as_ref().map_or(BAKE_MINUTES, |before| before.bake_minutes);
        let bake_minutes = minutes("bakeTimeInMinutes", self.bake_minutes.unwrap_or(old_bake))?;
        let pauses = match self.hooks {
            Some(hooks) => hooks.into_iter().map(pause).collect::<Result<_, _>>()?,
            None => before.map(|before| before.pauses).unwrap_or_default(),
        };
        Ok(Some(TrafficStrategy { kind, bake_minutes, step, pauses }))
    }

    fn check_rolling(&self) -> Result<(), Error> {
        if self.bake_minutes.is_some_and(|minutes| minutes != 0) {
            return Err(AwsError::not_supported("A bakeTimeInMinutes above 0 with the strategy ROLLING")
                .hint("Use BLUE_GREEN, LINEAR or CANARY.")
                .into());
        }
        let has_hooks = self.hooks.as_ref().is_some_and(|hooks| !hooks.is_empty());
        if has_hooks || self.linear.is_some() || self.canary.is_some() {
            return Err(Error::Invalid(
                "linearConfiguration, canaryConfiguration and lifecycleHooks need another strategy than ROLLING."
                    .into(),
            ));
        }
        Ok(())
    }
}

fn step(
    name: &str,
    least: Share,
    (percent, wait): (Option<f64>, Option<u32>),
    before: TrafficStep,
) -> Result<TrafficStep, Error> {
    let share = match percent {
        None => before.share,
        Some(percent) => {
            let tenths = percent * 10.0;
            let is_valid = (tenths - tenths.round()).abs() < 1e-6
                && (f64::from(least)..=f64::from(ALL_TRAFFIC)).contains(&tenths.round());
            if !is_valid {
                let least = f64::from(least) / 10.0;
                return Err(Error::Invalid(format!(
                    "{name} must be a multiple of 0.1 between {least:.1} and 100.0; it is {percent}."
                )));
            }
            // Checked above: between 1 and 1000.
            tenths.round() as Share
        }
    };
    Ok(TrafficStep { share, minutes: minutes("The bake time of a step", wait.unwrap_or(before.minutes))? })
}

fn minutes(name: &str, given: u32) -> Result<u32, Error> {
    if given > MOST_MINUTES {
        return Err(Error::Invalid(format!("{name} must be between 0 and {MOST_MINUTES}; it is {given}.")));
    }
    Ok(given)
}

fn pause(given: HookInput) -> Result<PauseHook, Error> {
    if given.target_type != Some(HookTarget::Pause) {
        return Err(AwsError::not_supported("A lifecycle hook of the type AWS_LAMBDA")
            .hint("There is no Lambda. Use a hook of the type PAUSE and ContinueServiceDeployment.")
            .into());
    }
    if given.hook_target_arn.is_some() || given.role_arn.is_some() {
        return Err(Error::Invalid(
            "A lifecycle hook of the type PAUSE has no hookTargetArn and no roleArn.".into(),
        ));
    }
    if given.lifecycle_stages.is_empty() {
        return Err(Error::Invalid("A lifecycle hook needs lifecycleStages.".into()));
    }
    let only_lambda = [HookStage::TestTrafficShift, HookStage::ProductionTrafficShift];
    if let Some(stage) = given.lifecycle_stages.iter().find(|stage| only_lambda.contains(stage)) {
        return Err(Error::Invalid(format!(
            "A lifecycle hook of the type PAUSE cannot be configured at {stage}."
        )));
    }
    let timeout = given.timeout_configuration.unwrap_or_default();
    Ok(PauseHook {
        stages: given.lifecycle_stages,
        timeout_minutes: timeout.timeout_in_minutes.unwrap_or(HOOK_MINUTES),
        action: timeout.action.unwrap_or(HookAction::Rollback),
    })
}

/// The members of a deployment configuration as answers have them.
pub(crate) struct Shown {
    pub strategy: DeploymentStrategy,
    pub bake_minutes: Option<u32>,
    pub linear: Option<LinearShape>,
    pub canary: Option<CanaryShape>,
    pub hooks: Option<Vec<HookShape>>,
}

pub(crate) fn show(strategy: Option<&TrafficStrategy>) -> Shown {
    let Some(TrafficStrategy { kind, bake_minutes, step, pauses }) = strategy else {
        let (bake_minutes, linear, canary, hooks) = (None, None, None, None);
        return Shown { strategy: DeploymentStrategy::Rolling, bake_minutes, linear, canary, hooks };
    };
    let of = |wanted: DeploymentStrategy| step.filter(|_| *kind == wanted);
    let hook = |hook: &PauseHook| HookShape {
        target_type: HookTarget::Pause,
        lifecycle_stages: hook.stages.clone(),
        timeout_configuration: TimeoutShape {
            timeout_in_minutes: Some(hook.timeout_minutes),
            action: Some(hook.action),
        },
    };
    Shown {
        strategy: *kind,
        bake_minutes: Some(*bake_minutes),
        linear: of(DeploymentStrategy::Linear).map(|step| LinearShape {
            step_percent: Some(percent(step.share)),
            step_bake_time_in_minutes: Some(step.minutes),
        }),
        canary: of(DeploymentStrategy::Canary).map(|step| CanaryShape {
            canary_percent: Some(percent(step.share)),
            canary_bake_time_in_minutes: Some(step.minutes),
        }),
        hooks: Some(pauses.iter().map(hook).collect()),
    }
}

pub(crate) fn percent(share: Share) -> f64 {
    f64::from(share) / 10.0
}

/// Checks that strategy and load balancers fit together.
pub(crate) fn check(strategy: Option<&TrafficStrategy>, balancers: &[LoadBalancer]) -> Result<(), Error> {
    let has_two = |b: &LoadBalancer| b.advanced_configuration.is_some();
    match strategy {
        None if balancers.iter().any(has_two) => Err(Error::Invalid(
            "advancedConfiguration needs the deployment strategy BLUE_GREEN, LINEAR or CANARY. Pass loadBalancers without it \
             for ROLLING."
                .into(),
        )),
        Some(strategy) if !balancers.iter().all(has_two) => Err(Error::Invalid(format!(
            "The deployment strategy {} needs an advancedConfiguration in each of loadBalancers.",
            strategy.kind
        ))),
        Some(strategy) if strategy.step.is_some() && balancers.is_empty() => Err(Error::Invalid(format!(
            "The deployment strategy {} needs a load balancer whose traffic it shifts.",
            strategy.kind
        ))),
        _ => Ok(()),
    }
}

/// Makes a deployment the newest one. If it shifts traffic, its tasks get the target groups that the present revision does not use.
pub(crate) fn begin(service: &mut Service, mut next: Deployment, now: Timestamp) -> Result<(), Error> {
    // The shift of this one is over, so its revision is the one with the traffic.
    let is_removing = |d: &Deployment| {
        d.outcome == Outcome::InProgress
            && d.traffic.as_ref().is_some_and(|t| t.is_routed && t.stage == LifecycleStage::CleanUp)
    };
    if let Some(newest) = service.deployments.first_mut().filter(|d| is_removing(d)) {
        newest.outcome = Outcome::Completed;
        newest.reason = format!("ECS deployment {} completed.", newest.id);
    }
    let source = service.deployments.iter().find(|d| d.outcome == Outcome::Completed);
    if let Some(source) = source {
        choose_groups(&mut next, source)?;
    }
    if let Some(strategy) = &service.traffic {
        let others = service.deployments.len() - usize::from(source.is_some());
        let stage = if others > 0 { LifecycleStage::ReconcileService } else { LifecycleStage::PreScaleUp };
        next.traffic = Some(Traffic::new(strategy.clone(), stage, now));
    }
    service.deployments.insert(0, next);
    Ok(())
}

fn choose_groups(next: &mut Deployment, source: &Deployment) -> Result<(), Error> {
    let has_traffic = |arn: &Option<_>| source.load_balancers.iter().any(|b| b.target_group_arn == *arn);
    let is_shifted = source.load_balancers.iter().any(|b| b.advanced_configuration.is_some());
    let mut is_on_alternate = Vec::new();
    for balancer in &next.load_balancers {
        let alternate =
            balancer.advanced_configuration.as_ref().map(|a| a.alternate_target_group_arn.clone());
        match () {
            () if source.load_balancers.is_empty() => is_on_alternate.push(false),
            () if has_traffic(&balancer.target_group_arn) => is_on_alternate.push(alternate.is_some()),
            () if alternate.is_some() && has_traffic(&alternate) => is_on_alternate.push(false),
            // A rolling deployment may move to another target group, unless the rules send the traffic to the present one.
            () if alternate.is_none() && !is_shifted => is_on_alternate.push(false),
            () => {
                let present: Vec<_> =
                    source.load_balancers.iter().filter_map(|b| b.target_group_arn.as_deref()).collect();
                return Err(Error::Invalid(format!(
                    "The traffic of the service goes to the target group {}. Pass it as targetGroupArn or as \
                     alternateTargetGroupArn.",
                    present.join(", ")
                )));
            }
        }
    }
    next.is_on_alternate = is_on_alternate.first() == Some(&true);
    if is_on_alternate.iter().any(|is| *is != next.is_on_alternate) {
        return Err(Error::Invalid(
            "The target groups with traffic are targetGroupArn in some of loadBalancers and alternateTargetGroupArn in others. \
             Use the same member for them in all."
                .into(),
        ));
    }
    if next.is_on_alternate {
        next.load_balancers = next.load_balancers.iter().map(LoadBalancer::exchanged).collect();
    }
    Ok(())
}

/// Prepares a rollback: all traffic returns from the failed deployment, and the failed one is removed.
pub(crate) fn return_traffic(back: &mut Deployment, failed: &Deployment, now: Timestamp) {
    back.traffic = None;
    let Some(traffic) = &failed.traffic else { return };
    let mut returned = Traffic::new(traffic.strategy.clone(), LifecycleStage::CleanUp, now);
    (returned.production, returned.test) = (ALL_TRAFFIC, ALL_TRAFFIC);
    back.traffic = Some(returned);
    // A revision from before the strategy does not know the rules.
    for balancer in back.load_balancers.iter_mut().filter(|b| b.advanced_configuration.is_none()) {
        let of_failed = failed.load_balancers.iter().map(LoadBalancer::exchanged);
        let same = |other: &LoadBalancer| other.target_group_arn == balancer.target_group_arn;
        if let Some(other) = of_failed.into_iter().find(same) {
            balancer.advanced_configuration = other.advanced_configuration;
            back.is_on_alternate = !failed.is_on_alternate;
        }
    }
}
