//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html>

use crate::{
    Error,
    alarms::{MetricAlarmOutput, describe},
};
use escale_base::{Wire, paging};
use escale_service::{Cx, Operation};
use escale_tables::cloudwatch::{Alarm, AlarmName, AlarmType, StateValue};

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
    composite_alarms: Vec<escale_base::wire::Value>,
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
        let of_type = input.alarm_types.is_empty() || input.alarm_types.contains(&AlarmType::Metric);
        let alarms = cx.tx.scan::<Alarm>().filter(|alarm| of_type && selects(&input, alarm));
        let shown = alarms.map(|alarm| (alarm.name.to_string(), describe(cx.tx, cx.config, &alarm)));
        let found =
            shown.filter(|(_, alarm)| input.state_value.is_none_or(|state| alarm.state_value == state));
        let token = input.next_token.as_deref();
        let page = paging::page(found, |(name, _)| name.clone(), token, size);
        let page = page.map_err(|_| Error::Token(token.unwrap_or_default().to_owned()))?;
        Ok(Output {
            metric_alarms: page.items.into_iter().map(|(_, alarm)| alarm).collect(),
            composite_alarms: Vec::new(),
            next_token: page.next,
        })
    }
}

fn selects(input: &Input, alarm: &Alarm) -> bool {
    let named = input.alarm_names.is_empty() || input.alarm_names.contains(&alarm.name);
    let begins = input.alarm_name_prefix.as_ref().is_none_or(|prefix| alarm.name.starts_with(prefix));
    let acts = |prefix: &String| alarm.actions.all().any(|arn| arn.starts_with(prefix));
    named && begins && input.action_prefix.as_ref().is_none_or(acts)
}
