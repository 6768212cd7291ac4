//! Why a request or a connection fails: hops with what the APIs say about them and what a probe found, and the findings of both.
//!
//! Pure: the caller collects the facts and sends the probes. [`conclude`] decides. Where the explanation and the packets disagree,
//! that is itself a finding: one of both is wrong, and neither may be trusted alone.

pub mod balancer;
pub mod deployed;
pub mod edge;

pub use deployed::{Deployed, Place};

use serde::Serialize;

/// A step on the path, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    Dns,
    Distribution,
    Behaviour,
    Signature,
    OriginAccess,
    BucketPolicy,
    Object,
    Listener,
    ListenerRule,
    TargetPort,
    TargetHealth,
    Network,
    Task,
    Database,
    Response,
}

impl Step {
    pub fn name(self) -> &'static str {
        match self {
            Step::Dns => "DNS",
            Step::Distribution => "distribution",
            Step::Behaviour => "behaviour",
            Step::Signature => "signature",
            Step::OriginAccess => "origin access control",
            Step::BucketPolicy => "bucket policy",
            Step::Object => "object",
            Step::Listener => "listener",
            Step::ListenerRule => "listener rule",
            Step::TargetPort => "target port",
            Step::TargetHealth => "target health",
            Step::Network => "network",
            Step::Task => "task",
            Step::Database => "database",
            Step::Response => "response",
        }
    }

    /// Whether a failure here is what another hop's failure looks like from outside: a target is unhealthy because packets to it are
    /// dropped, and a task answers 500 because its database is dead.
    fn is_symptom(self) -> bool {
        matches!(self, Step::TargetHealth | Step::Response)
    }

    /// Whether it is behind the listener, as the symptoms are: a wrong name or signature makes no target unhealthy.
    fn is_behind_the_listener(self) -> bool {
        self >= Step::TargetPort
    }
}

/// What is wrong by the state of the APIs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// The rule, entry or setting that fails, in words.
    pub rule: String,
    pub resource: Place,
    pub fix: String,
}

/// What the state of the APIs says about a hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Explained {
    Ok(String),
    Failed(Cause),
    /// The APIs do not know it, or the caller may not read it.
    Unknown(String),
}

/// What packets found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Probe {
    pub passed: bool,
    pub what: String,
    pub ms: i64,
}

#[derive(Clone, Debug)]
pub struct Hop {
    pub step: Step,
    /// From where to where, or the object.
    pub what: String,
    /// Named if only the probe fails.
    pub resource: Place,
    pub explained: Explained,
    pub probed: Option<Probe>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Ok,
    Failed,
    Unknown,
}

impl Hop {
    pub fn state(&self) -> State {
        match (&self.explained, &self.probed) {
            (Explained::Failed(_), _) | (_, Some(Probe { passed: false, .. })) => State::Failed,
            (Explained::Ok(_), _) | (_, Some(Probe { passed: true, .. })) => State::Ok,
            (Explained::Unknown(_), None) => State::Unknown,
        }
    }

    /// What the APIs say, in words.
    pub fn explanation(&self) -> &str {
        match &self.explained {
            Explained::Ok(text) | Explained::Unknown(text) => text,
            Explained::Failed(cause) => &cause.rule,
        }
    }

    fn finding(&self) -> Option<Finding> {
        let of_probe = |kind, rule: String, fix: String| {
            Some(Finding {
                step: self.step,
                what: self.what.clone(),
                kind,
                rule,
                resource: self.resource.clone(),
                fix,
            })
        };
        match (&self.explained, &self.probed) {
            (Explained::Failed(cause), Some(probe)) if probe.passed => Some(Finding {
                step: self.step,
                what: self.what.clone(),
                kind: Kind::Disagreement,
                rule: format!("by the state of the APIs this must fail ({}), but {}", cause.rule, probe.what),
                resource: cause.resource.clone(),
                fix: cause.fix.clone(),
            }),
            (Explained::Failed(cause), _) => Some(Finding {
                step: self.step,
                what: self.what.clone(),
                kind: Kind::Fault,
                rule: cause.rule.clone(),
                resource: cause.resource.clone(),
                fix: cause.fix.clone(),
            }),
            (Explained::Ok(said), Some(probe)) if !probe.passed => of_probe(
                Kind::Disagreement,
                format!("by the state of the APIs this works ({said}), but {}", probe.what),
                "Run `escale why` again: if the difference stays, the state of the APIs is not what runs. `escale status` and the \
                 daemon's log show what is pending."
                    .to_owned(),
            ),
            (Explained::Unknown(_), Some(probe)) if !probe.passed => of_probe(
                Kind::Fault,
                probe.what.clone(),
                "`escale logs` shows what the program wrote, `escale status` whether it runs.".to_owned(),
            ),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The APIs explain the failure; or only packets could find it.
    Fault,
    /// The APIs and the packets say different things.
    Disagreement,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub step: Step,
    pub what: String,
    pub kind: Kind,
    pub rule: String,
    pub resource: Place,
    pub fix: String,
}

/// The findings of a path, the same one once. A symptom is none if a cause was found.
pub fn conclude(hops: &[Hop]) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for finding in hops.iter().filter_map(Hop::finding) {
        let same = |f: &Finding| {
            (f.step, &f.rule, &f.resource.id) == (finding.step, &finding.rule, &finding.resource.id)
        };
        if !found.iter().any(same) {
            found.push(finding);
        }
    }
    if found.iter().any(|f| f.step.is_behind_the_listener() && !f.step.is_symptom()) {
        found.retain(|f| !f.step.is_symptom());
    }
    // A broken health check has a setting to fix; what the application answers is only what it looks like.
    if found.iter().any(|f| f.step.is_behind_the_listener() && f.step != Step::Response) {
        found.retain(|f| f.step != Step::Response);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(step: Step, explained: Explained, passed: Option<bool>) -> Hop {
        let probed = passed.map(|passed| Probe { passed, what: format!("probe {passed}"), ms: 1 });
        Hop { step, what: "a to b".into(), resource: Place::of_id("sg-1"), explained, probed }
    }

    fn ok() -> Explained {
        Explained::Ok("open".into())
    }

    fn failed(rule: &str) -> Explained {
        Explained::Failed(Cause { rule: rule.into(), resource: Place::of_id("sg-1"), fix: "fix it".into() })
    }

    fn unknown() -> Explained {
        Explained::Unknown("?".into())
    }

    #[test]
    fn a_hop_is_a_fault_a_disagreement_or_neither() {
        for (explained, passed, expected) in [
            (ok(), Some(true), None),
            (ok(), None, None),
            (ok(), Some(false), Some(Kind::Disagreement)),
            (failed("r"), Some(false), Some(Kind::Fault)),
            (failed("r"), None, Some(Kind::Fault)),
            (failed("r"), Some(true), Some(Kind::Disagreement)),
            (unknown(), None, None),
            (unknown(), Some(true), None),
            (unknown(), Some(false), Some(Kind::Fault)),
        ] {
            let hop = hop(Step::Network, explained.clone(), passed);
            let found = conclude(&[hop]);
            assert_eq!(found.first().map(|f| f.kind), expected, "{explained:?} {passed:?}");
        }
    }

    #[test]
    fn a_cause_hides_its_symptoms_and_the_same_finding_is_named_once() {
        let hops = [
            hop(Step::TargetHealth, failed("unhealthy"), Some(false)),
            hop(Step::Network, failed("no rule"), Some(false)),
            hop(Step::Network, failed("no rule"), Some(false)),
            hop(Step::Response, unknown(), Some(false)),
        ];
        let steps: Vec<Step> = conclude(&hops).iter().map(|f| f.step).collect();
        assert_eq!(steps, [Step::Network]);
        let steps: Vec<Step> = conclude(&hops[..1]).iter().map(|f| f.step).collect();
        assert_eq!(steps, [Step::TargetHealth]);
    }

    #[test]
    fn a_fault_before_the_listener_hides_no_fault_behind_it() {
        let hops = [
            hop(Step::Dns, failed("no record"), None),
            hop(Step::TargetHealth, failed("answers 404"), Some(false)),
            hop(Step::Response, unknown(), Some(false)),
        ];
        let steps: Vec<Step> = conclude(&hops).iter().map(|f| f.step).collect();
        assert_eq!(steps, [Step::Dns, Step::TargetHealth]);
    }

    #[test]
    fn unknown_without_a_probe_is_not_ok() {
        assert_eq!(hop(Step::Task, unknown(), None).state(), State::Unknown);
        assert_eq!(hop(Step::Task, unknown(), Some(true)).state(), State::Ok);
        assert_eq!(hop(Step::Task, ok(), Some(false)).state(), State::Failed);
    }
}
