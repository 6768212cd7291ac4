//! Evaluates each alarm once a minute, or every ten seconds if its period is less than a minute.
//!
//! The minutes are those of the cloud's clock, divided by `ESCALE_CLOCK_SPEED`. An evaluation looks at complete periods only: those
//! before the last full minute.

use super::{
    Change, ONLY, action, change_state,
    evaluate::{Datapoint, EXTRA_PERIODS, evaluate, samples_needed},
    percentile, period_secs, queries, reason,
};
use crate::{
    Error,
    math::{Grid, Value},
    metric::{Catalog, read_merged},
    query::Queries,
};
use escale_base::{AwsError, Timestamp};
use escale_engine::{Plan, Reconciler, StepError};
use escale_metrics::{Metrics, Window};
use escale_service::{Caller, Cloud};
use escale_store::{Image, Store};
use escale_tables::cloudwatch::{Alarm, AlarmName, AlarmSeen, StateValue};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

/// The service principal of actions.
pub(crate) const PRINCIPAL: &str = "cloudwatch.amazonaws.com";

/// How long after the end of a period its values may still arrive.
const SETTLE_MS: i64 = 2_000;

pub(crate) struct Alarms {
    pub(crate) store: Store,
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) plane: Arc<dyn Metrics>,
    /// The end of the last evaluated range of each alarm, and the configuration that was evaluated. Lost with the daemon, which
    /// then evaluates again.
    pub(crate) evaluated: Mutex<BTreeMap<AlarmName, (i64, Timestamp)>>,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Step {
    alarm: Box<Alarm>,
    /// Seconds: the end of the last complete period.
    until: i64,
    current: StateValue,
}

impl Reconciler for Alarms {
    type Step = Step;
    const NAME: &'static str = "cloudwatch.alarms";
    const WATCHES: &'static [&'static str] = &["cloudwatch_alarm"];

    fn concerned(&self, _: &Image, change: &escale_store::Change) -> BTreeSet<String> {
        BTreeSet::from([change.key.clone()])
    }

    fn all(&self, image: &Image) -> BTreeSet<String> {
        image.scan::<Alarm>().map(|a| a.name.to_string()).collect()
    }

    fn plan(&self, image: &Image, key: &str, now: Timestamp) -> Plan<Step> {
        let Some(alarm) = image.get::<Alarm>(key) else { return Plan::Done };
        let every = self.scaled(if period_secs(&alarm.watch) < 60 { 10 } else { 60 });
        let settle_ms = SETTLE_MS / self.cloud.config.clock_speed;
        let until = now.plus_ms(-settle_ms).secs().div_euclid(every) * every;
        let evaluated = self.evaluated.lock().unwrap_or_else(PoisonError::into_inner);
        let is_done =
            evaluated.get(&alarm.name).is_some_and(|(end, of)| *end >= until && *of == alarm.updated);
        if is_done {
            let next = Timestamp((until + every) * 1000).plus_ms(settle_ms);
            return Plan::wait_until(next, "the period has not ended");
        }
        let current = image.get::<AlarmSeen>(key).map_or(StateValue::InsufficientData, |seen| seen.state);
        Plan::Step(Step { alarm: Box::new((*alarm).clone()), until, current })
    }

    async fn act(&self, _: &str, step: Step) -> Result<(), StepError> {
        let Step { alarm, until, current } = step;
        self.evaluate(&alarm, until, current).await?;
        let mut evaluated = self.evaluated.lock().unwrap_or_else(PoisonError::into_inner);
        evaluated.insert(alarm.name.clone(), (until, alarm.updated));
        if evaluated.len() > 2 * self.store.read().scan::<Alarm>().count() + 16 {
            // Those of deleted alarms. The others are evaluated once more.
            evaluated.clear();
        }
        Ok(())
    }
}

impl Alarms {
    fn scaled(&self, secs: i64) -> i64 {
        (secs / self.cloud.config.clock_speed).max(1)
    }

    async fn evaluate(&self, alarm: &Alarm, until: i64, current: StateValue) -> Result<(), StepError> {
        let period = self.scaled(period_secs(&alarm.watch));
        let count = i64::from(alarm.rule.evaluation_periods + EXTRA_PERIODS);
        let grid = Grid { from: until - count * period, until, period };
        let (range, failure) = match self.values(alarm, grid, period).await {
            Ok(range) => (range, None),
            // An expression that cannot be computed from these values: without them, the alarm has no data.
            Err(Error::Plane(error)) => return Err(error.into()),
            Err(error) => (vec![None; count as usize], Some(AwsError::from(error).message)),
        };
        let verdict = evaluate(&alarm.rule, &range, current);
        let text = failure.unwrap_or_else(|| reason::text(&alarm.rule, &verdict, current));
        let data = reason::data(alarm, &verdict, self.cloud.clock.now(), grid.from);
        let change = Change { state: verdict.state, reason: text, reason_data: Some(data) };
        let caller = Caller::service(PRINCIPAL);
        let changed = self.cloud.transact(&self.store, &caller, |cx| {
            // It may have been changed or deleted since the plan; then it is evaluated again.
            let is_same = cx.tx.get::<Alarm>(&alarm.name).is_some_and(|now| *now == *alarm);
            let seen = cx.tx.get::<AlarmSeen>(&alarm.name).map(|seen| seen.state);
            if is_same && seen == Some(change.state) {
                let values = verdict.decided_by.iter().map(|d| d.value).collect();
                action::invoke_again(cx, &alarm.into(), change.state, values);
            } else if is_same && seen.unwrap_or(current) == current {
                change_state(cx, &alarm.into(), change)?;
            }
            Ok(())
        });
        changed.map_err(|failed| failed.0.into())
    }

    async fn values(&self, alarm: &Alarm, grid: Grid, period: i64) -> Result<Vec<Option<Datapoint>>, Error> {
        let (queries, compared) = queries(&alarm.watch);
        let speed = self.cloud.config.clock_speed;
        let catalog = Catalog::read(&*self.plane).await?;
        let at = (self.cloud.clock.now(), speed);
        let mut answer = Queries::check(&queries)?.run(&*self.plane, &catalog, grid, at).await?;
        let values = match answer.values.remove(&compared) {
            Some(Value::Series(series)) => series.values,
            Some(Value::List(list)) => list.into_iter().next().unwrap_or_default().values,
            _ => {
                return Err(Error::Validation(format!("The result of '{compared}' is not a time series")));
            }
        };
        let few = self.times_of_few(alarm, &queries, &catalog, grid, period).await?;
        let point = |at| {
            let value = *values.get(&at)?;
            Some(Datapoint { at, value, is_of_few: few.contains(&at) })
        };
        Ok(grid.times(period).map(point).collect())
    }

    /// The periods in which a percentile has too few values.
    async fn times_of_few(
        &self,
        alarm: &Alarm,
        queries: &[escale_tables::cloudwatch::MetricDataQuery],
        catalog: &Catalog,
        grid: Grid,
        step_secs: i64,
    ) -> Result<BTreeSet<i64>, Error> {
        let metric = queries.iter().find(|q| q.id == ONLY).and_then(|q| q.metric_stat.as_ref());
        let (Some(percentage), Some(of)) = (percentile(alarm), metric) else { return Ok(BTreeSet::new()) };
        let window = Window { from: grid.from, until: grid.until, step_secs };
        let points = read_merged(&*self.plane, &catalog.series(&of.metric, of.unit)?, window).await?;
        let few = points.iter().filter(|p| p.summary.count < samples_needed(percentage));
        Ok(few.map(|p| p.at).collect())
    }
}
