//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_SetAlarmState.html>

use crate::{
    Error,
    alarms::{Change, arn, change_state, subject},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudwatch::{AlarmName, StateValue};

pub(crate) struct SetAlarmState;

#[derive(Wire)]
pub(crate) struct Input {
    alarm_name: AlarmName,
    state_value: StateValue,
    state_reason: String,
    state_reason_data: Option<String>,
}

impl Operation for SetAlarmState {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![arn(cx.config, &input.alarm_name)]
    }

    /// The state lasts until the next evaluation decides another one.
    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let alarm = subject(cx.tx, &input.alarm_name);
        let alarm = alarm.ok_or_else(|| Error::NoResource(input.alarm_name.to_string()))?;
        if let Some(data) = &input.state_reason_data
            && let Err(error) = serde_json::from_str::<escale_base::wire::Value>(data)
        {
            return Err(Error::Format(error.to_string()));
        }
        let change = Change {
            state: input.state_value,
            reason: input.state_reason,
            reason_data: input.state_reason_data,
        };
        Ok(change_state(cx, &alarm.subject(), change)?)
    }
}
