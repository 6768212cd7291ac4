//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarmsForMetric.html>

use crate::{
    Error,
    alarms::{MetricAlarmOutput, describe},
    choices::{StandardUnit, Statistic},
    metric::labels,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudwatch::{Alarm, Dimension, Watch};

pub(crate) struct DescribeAlarmsForMetric;

#[derive(Wire)]
pub(crate) struct Input {
    metric_name: String,
    namespace: String,
    statistic: Option<Statistic>,
    extended_statistic: Option<String>,
    dimensions: Vec<Dimension>,
    period: Option<i64>,
    unit: Option<StandardUnit>,
}

#[derive(Wire)]
pub(crate) struct Output {
    metric_alarms: Vec<MetricAlarmOutput>,
}

impl Operation for DescribeAlarmsForMetric {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let wanted = labels(&input.dimensions)?;
        let watches = |alarm: &Alarm| {
            let Watch::Metric { metric, statistic, extended, unit, period_secs } = &alarm.watch else {
                return false;
            };
            metric.metric_name.as_ref() == Some(&input.metric_name)
                && metric.namespace.as_ref() == Some(&input.namespace)
                && labels(&metric.dimensions).is_ok_and(|own| own == wanted)
                && input.statistic.is_none_or(|s| *statistic == Some(s))
                && input.extended_statistic.as_ref().is_none_or(|s| extended.as_ref() == Some(s))
                && input.period.is_none_or(|p| *period_secs == p)
                && input.unit.is_none_or(|u| *unit == Some(u))
        };
        let alarms = cx.tx.scan::<Alarm>().filter(|alarm| watches(alarm));
        Ok(Output { metric_alarms: alarms.map(|alarm| describe(cx.tx, cx.config, &alarm)).collect() })
    }
}
