//! Runs the health checks of endpoints at their intervals, and remembers the last state of alarms.

use super::Parts;
use crate::{
    checker::{Checks, Endpoint},
    health,
};
use escale_base::Timestamp;
use escale_engine::{Plan, Reconciler, StepError};
use escale_store::{Change as RowChange, Image, Row, StoreError};
use escale_tables::{
    cloudwatch::AlarmSeen,
    route53::{Checked, HealthCheck, HealthCheckSeen, alarm_is_ok},
};
use std::{collections::BTreeSet, sync::Arc};

pub(crate) struct Checkups {
    parts: Parts,
    checks: Arc<dyn Checks>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Check(Endpoint),
    /// The state of the alarm that counts while it has too little data.
    Remember(bool),
    /// The health check was deleted.
    Forget,
}

impl Checkups {
    pub(crate) fn new(parts: Parts, checks: Arc<dyn Checks>) -> Checkups {
        Checkups { parts, checks }
    }

    fn write(&self, key: &str, change: impl Fn(&HealthCheck, &mut HealthCheckSeen)) -> Result<(), StepError> {
        Ok(self.parts.store.write(|tx| {
            // The check may have been deleted meanwhile.
            if let Some(check) = tx.get::<HealthCheck>(key) {
                let seen = tx.get::<HealthCheckSeen>(key);
                let mut seen = seen.map_or_else(|| HealthCheckSeen::new(check.id.clone()), |s| (*s).clone());
                change(&check, &mut seen);
                tx.put(seen);
            }
            Ok::<_, StoreError>(())
        })?)
    }
}

impl Reconciler for Checkups {
    type Step = Step;
    const NAME: &'static str = "route53-health-checks";
    const WATCHES: &'static [&'static str] = &[HealthCheck::TABLE, HealthCheckSeen::TABLE, AlarmSeen::TABLE];

    fn concerned(&self, image: &Image, change: &RowChange) -> BTreeSet<String> {
        if change.table != AlarmSeen::TABLE {
            return BTreeSet::from([change.key.clone()]);
        }
        let watches = |check: &Arc<HealthCheck>| {
            check.config.alarm_identifier.as_ref().is_some_and(|alarm| *alarm.name.as_str() == change.key)
        };
        image.scan::<HealthCheck>().filter(watches).map(|check| check.id.to_string()).collect()
    }

    fn all(&self, image: &Image) -> BTreeSet<String> {
        image.keys(HealthCheck::TABLE).chain(image.keys(HealthCheckSeen::TABLE)).cloned().collect()
    }

    fn plan(&self, image: &Image, key: &str, now: Timestamp) -> Plan<Step> {
        let seen = image.get::<HealthCheckSeen>(key);
        let Some(check) = image.get::<HealthCheck>(key) else {
            return if seen.is_some() { Plan::Step(Step::Forget) } else { Plan::Done };
        };
        if let Some(is_ok) = alarm_is_ok(image, &check.config) {
            let is_known = seen.is_some_and(|seen| seen.healthy == is_ok);
            return if is_known { Plan::Done } else { Plan::Step(Step::Remember(is_ok)) };
        }
        let Some(endpoint) = health::endpoint(&check) else { return Plan::Done };
        let interval_ms = i64::from(check.config.request_interval.unwrap_or(30)) * 1000;
        // A new configuration is checked at once.
        let last =
            seen.filter(|seen| seen.version == check.version).and_then(|seen| Some(seen.last.as_ref()?.at));
        match last.map(|last| last.plus_ms(interval_ms)) {
            Some(next) if next > now => {
                Plan::wait_until(next, "the interval of the health check has not ended")
            }
            _ => Plan::Step(Step::Check(endpoint)),
        }
    }

    async fn act(&self, key: &str, step: Step) -> Result<(), StepError> {
        match step {
            Step::Forget => Ok(self.parts.store.write(|tx| {
                tx.delete::<HealthCheckSeen>(key);
                Ok::<_, StoreError>(())
            })?),
            Step::Remember(is_ok) => self.write(key, |_, seen| seen.healthy = is_ok),
            Step::Check(endpoint) => {
                let result = self.checks.check(&endpoint).await;
                let at = self.parts.clock.now();
                self.write(key, |check, seen| count(check, seen, &result, at))
            }
        }
    }
}

/// Counts a result. The state changes after as many contradicting results in a row as the threshold says.
fn count(check: &HealthCheck, seen: &mut HealthCheckSeen, result: &Result<String, String>, at: Timestamp) {
    let status = match result {
        Ok(what) => format!("Success: {what}"),
        Err(why) => format!("Failure: {why}"),
    };
    let checked = Checked { at, status };
    seen.version = check.version;
    if result.is_err() {
        seen.last_failure = Some(checked.clone());
    }
    seen.last = Some(checked);
    if result.is_ok() == seen.healthy {
        seen.against = 0;
        return;
    }
    seen.against += 1;
    if seen.against >= check.config.failure_threshold.unwrap_or(1) {
        seen.healthy = result.is_ok();
        seen.against = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_changes_after_results_in_a_row() {
        for (threshold, results, states) in
            [(1, "-+", "du"), (2, "--", "ud"), (2, "-+--", "uuud"), (3, "---++-+++", "uuddddddu")]
        {
            let mut check = health::tests::check("a");
            check.config.failure_threshold = Some(threshold);
            let mut seen = HealthCheckSeen::new("a".into());
            let mut shown = String::new();
            for result in results.chars() {
                let result = if result == '+' { Ok(String::new()) } else { Err(String::new()) };
                count(&check, &mut seen, &result, Timestamp(0));
                shown.push(if seen.healthy { 'u' } else { 'd' });
            }
            assert_eq!(shown, states, "{threshold} {results}");
        }
    }
}
