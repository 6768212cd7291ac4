//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html>

use crate::{
    Error,
    alarms::{CompositeAlarmOutput, MetricAlarmOutput, describe, describe_composite},
};
use escale_base::{Wire, paging};
use escale_service::{Cx, Operation};
use escale_tables::cloudwatch::{Actions, Alarm, AlarmName, AlarmType, CompositeAlarm, StateValue};

pub(crate) struct DescribeAlarms;

#[derive(Wire)]
pub(crate) struct Input {
    alarm_names: Vec<AlarmName>,
    alarm_name_prefix: Option<String>,
    alarm_types: Vec<AlarmType>,
    state_value: Option<StateValue>,
    action_prefix: Option<String>,
    max_records: Option<usize>,
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) metric_alarms: Vec<MetricAlarmOutput>,
    pub(crate) composite_alarms: Vec<CompositeAlarmOutput>,
    next_token: Option<String>,
}

impl Operation for DescribeAlarms {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        if !input.alarm_names.is_empty() && input.alarm_name_prefix.is_some() {
            return Err(Error::Combination(
                "AlarmNames and AlarmNamePrefix cannot be specified together.".into(),
            ));
        }
        let size = input.max_records.unwrap_or(50);
        if !(1..=100).contains(&size) {
            return Err(Error::InvalidValue(format!(
                "The parameter MaxRecords must be 1 to 100; it is {size}."
            )));
        }
        // Without types, metric alarms only, as on AWS.
        let wants = |kind| {
            if input.alarm_types.is_empty() {
                kind == AlarmType::Metric
            } else {
                input.alarm_types.contains(&kind)
            }
        };
        let metric = cx
            .tx
            .scan::<Alarm>()
            .filter(|alarm| wants(AlarmType::Metric) && selects(&input, &alarm.name, &alarm.actions));
        let composite = cx
            .tx
            .scan::<CompositeAlarm>()
            .filter(|alarm| wants(AlarmType::Composite) && selects(&input, &alarm.name, &alarm.actions));
        let metric =
            metric.map(|a| (a.name.clone(), Described::Metric(Box::new(describe(cx.tx, cx.config, &a)))));
        let composite = composite.map(|a| {
            (a.name.clone(), Described::Composite(Box::new(describe_composite(cx.tx, cx.config, &a))))
        });
        let mut found: Vec<_> = metric
            .chain(composite)
            .filter(|(_, alarm)| input.state_value.is_none_or(|state| alarm.state() == state))
            .collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let token = input.next_token.as_deref();
        let page = paging::page(found, |(name, _)| name.to_string(), token, size);
        let page = page.map_err(|_| Error::Token(token.unwrap_or_default().to_owned()))?;
        let mut output =
            Output { metric_alarms: Vec::new(), composite_alarms: Vec::new(), next_token: page.next };
        for (_, alarm) in page.items {
            match alarm {
                Described::Metric(alarm) => output.metric_alarms.push(*alarm),
                Described::Composite(alarm) => output.composite_alarms.push(*alarm),
            }
        }
        Ok(output)
    }
}

enum Described {
    Metric(Box<MetricAlarmOutput>),
    Composite(Box<CompositeAlarmOutput>),
}

impl Described {
    fn state(&self) -> StateValue {
        match self {
            Described::Metric(alarm) => alarm.state_value,
            Described::Composite(alarm) => alarm.state_value,
        }
    }
}

fn selects(input: &Input, name: &AlarmName, actions: &Actions) -> bool {
    let named = input.alarm_names.is_empty() || input.alarm_names.contains(name);
    let begins = input.alarm_name_prefix.as_ref().is_none_or(|prefix| name.starts_with(prefix));
    let acts = |prefix: &String| actions.all().any(|arn| arn.starts_with(prefix));
    named && begins && input.action_prefix.as_ref().is_none_or(acts)
}
