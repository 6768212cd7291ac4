//! Alarms: which values they need, when they are evaluated, and what follows from a change of their state.

mod action;
mod composite;
mod describe;
mod evaluate;
mod evaluator;
mod notification;
mod reason;
mod rule;
mod state;
mod subject;
mod suppression;
#[cfg(test)]
mod tests;

pub(crate) use action::{check_actions, check_composite_actions};
pub(crate) use composite::{Composites, check_children, check_suppressor, parents};
pub(crate) use describe::{CompositeAlarmOutput, MetricAlarmOutput, describe, describe_composite};
pub(crate) use evaluator::Alarms;
pub(crate) use rule::Rule;
pub(crate) use state::{Change, change_state, record_put};
pub(crate) use subject::{subject, update_actions_enabled, update_tags};

use crate::{Error, metric::Stat, query::Queries};
use escale_base::Arn;
use escale_service::Config;
use escale_tables::cloudwatch::{Alarm, AlarmName, MetricDataQuery, MetricStat, StandardUnit, Watch};

/// The id of the only query of an alarm on a single metric. AWS's own, from its notifications.
pub(crate) const ONLY: &str = "m1";

pub(crate) fn arn(config: &Config, name: &AlarmName) -> String {
    Arn::new("cloudwatch", &config.region, &config.account, format!("alarm:{name}")).to_string()
}

/// The name in an alarm's ARN.
pub(crate) fn name_of_arn(arn: &str) -> Result<AlarmName, Error> {
    let parsed: Option<Arn> = arn.parse().ok();
    let name = parsed.filter(|a| a.service == "cloudwatch" && a.resource_type() == "alarm");
    name.map(|a| AlarmName(a.resource_id().to_owned())).ok_or_else(|| Error::NoResource(arn.to_owned()))
}

/// The queries of an alarm, with the id of the one that is compared.
pub(crate) fn queries(watch: &Watch) -> (Vec<MetricDataQuery>, String) {
    match watch {
        Watch::Queries(queries) => {
            let compared = queries.iter().find(|q| q.return_data != Some(false)).map(|q| q.id.clone());
            (queries.clone(), compared.unwrap_or_default())
        }
        Watch::Metric { metric, statistic, extended, unit, period_secs } => {
            let stat = statistic.map(|s| s.as_str().to_owned()).or_else(|| extended.clone());
            let query = MetricDataQuery {
                id: ONLY.to_owned(),
                metric_stat: Some(MetricStat {
                    metric: metric.clone(),
                    period: *period_secs,
                    stat: stat.unwrap_or_default(),
                    unit: *unit,
                }),
                expression: None,
                label: None,
                return_data: None,
                period: None,
            };
            (vec![query], ONLY.to_owned())
        }
    }
}

/// The period of an alarm in seconds: of an expression, the longest of its metrics.
pub(crate) fn period_secs(watch: &Watch) -> i64 {
    match watch {
        Watch::Metric { period_secs, .. } => *period_secs,
        Watch::Queries(queries) => Queries::check(queries).map_or(60, |q| q.periods().0.max(10)),
    }
}

/// The percentile that an alarm compares, if it does.
fn percentile(alarm: &Alarm) -> Option<f64> {
    let Watch::Metric { extended: Some(text), .. } = &alarm.watch else { return None };
    match Stat::parse(text) {
        Ok(Stat::Percentile(p)) => Some(p),
        _ => None,
    }
}

/// The unit as AWS's documents write it.
fn unit_text(unit: Option<StandardUnit>) -> Option<String> {
    unit.map(|u| u.as_str().to_owned())
}
