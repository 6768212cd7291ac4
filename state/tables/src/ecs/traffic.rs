//! Deployments that shift traffic between two target groups: blue/green, linear, canary.

use escale_base::{Timestamp, choice};
use serde::{Deserialize, Serialize};

choice! {
    pub enum DeploymentStrategy {
        Rolling = "ROLLING", BlueGreen = "BLUE_GREEN", Linear = "LINEAR", Canary = "CANARY",
    }
}
choice! {
    /// The stages of a deployment that shifts traffic, in their order.
    pub enum LifecycleStage {
        ReconcileService = "RECONCILE_SERVICE", PreScaleUp = "PRE_SCALE_UP", ScaleUp = "SCALE_UP",
        PostScaleUp = "POST_SCALE_UP", TestTrafficShift = "TEST_TRAFFIC_SHIFT",
        PostTestTrafficShift = "POST_TEST_TRAFFIC_SHIFT", ProductionTrafficShift = "PRODUCTION_TRAFFIC_SHIFT",
        PostProductionTrafficShift = "POST_PRODUCTION_TRAFFIC_SHIFT", BakeTime = "BAKE_TIME",
        CleanUp = "CLEAN_UP",
    }
}
choice! {
    /// The stages at which a lifecycle hook can run.
    pub enum HookStage {
        ReconcileService = "RECONCILE_SERVICE", PreScaleUp = "PRE_SCALE_UP", PostScaleUp = "POST_SCALE_UP",
        TestTrafficShift = "TEST_TRAFFIC_SHIFT", PostTestTrafficShift = "POST_TEST_TRAFFIC_SHIFT",
        PreProductionTrafficShift = "PRE_PRODUCTION_TRAFFIC_SHIFT",
        ProductionTrafficShift = "PRODUCTION_TRAFFIC_SHIFT",
        PostProductionTrafficShift = "POST_PRODUCTION_TRAFFIC_SHIFT",
    }
}
choice! { pub enum HookAction { Rollback = "ROLLBACK", Continue = "CONTINUE" } }
choice! {
    pub enum HookStatus {
        AwaitingAction = "AWAITING_ACTION", InProgress = "IN_PROGRESS", Succeeded = "SUCCEEDED",
        Failed = "FAILED", TimedOut = "TIMED_OUT",
    }
}

/// A part of the traffic in tenths of a percent, the unit of AWS's percentages.
pub type Share = u32;
pub const ALL_TRAFFIC: Share = 1000;

/// How a service shifts traffic to a new revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficStrategy {
    pub kind: DeploymentStrategy,
    /// How long both revisions run after all production traffic has shifted.
    pub bake_minutes: u32,
    /// The steps of a linear deployment, or the first one of a canary deployment.
    pub step: Option<TrafficStep>,
    pub pauses: Vec<PauseHook>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficStep {
    pub share: Share,
    pub minutes: u32,
}

/// A hook that waits for ContinueServiceDeployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseHook {
    pub stages: Vec<HookStage>,
    pub timeout_minutes: u32,
    /// What follows when nobody has answered in time.
    pub action: HookAction,
}

/// The progress of a deployment that shifts traffic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// As it was when the deployment began.
    pub strategy: TrafficStrategy,
    pub stage: LifecycleStage,
    /// When the stage began, or the last step of the shift was made.
    pub since: Timestamp,
    /// The listener rules have the shares below.
    pub is_routed: bool,
    /// The share of the production traffic that goes to the deployment's target groups.
    pub production: Share,
    /// The same for test traffic.
    pub test: Share,
    /// How many hooks of the stage, or of the next step, were passed.
    pub passed: u32,
    /// All pauses until now. A deployment waits at the last one if it awaits an action.
    pub pauses: Vec<Pause>,
}

impl Traffic {
    pub fn new(strategy: TrafficStrategy, stage: LifecycleStage, now: Timestamp) -> Traffic {
        let (is_routed, production, test, passed, pauses) = (false, 0, 0, 0, Vec::new());
        Traffic { strategy, stage, since: now, is_routed, production, test, passed, pauses }
    }

    /// Ends the pause that waits for an action.
    pub fn answer(&mut self, status: HookStatus) {
        if let Some(pause) = self.pauses.last_mut() {
            pause.status = status;
        }
        self.passed += 1;
    }

    /// The pause that waits for an action.
    pub fn pause(&self) -> Option<&Pause> {
        self.pauses.last().filter(|pause| pause.status == HookStatus::AwaitingAction)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    pub id: String,
    pub expires: Timestamp,
    pub action: HookAction,
    pub status: HookStatus,
}
