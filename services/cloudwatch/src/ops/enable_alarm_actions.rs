//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_EnableAlarmActions.html>

use crate::{
    Error,
    alarms::{arn, update_actions_enabled},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudwatch::AlarmName;

pub(crate) struct EnableAlarmActions;

#[derive(Wire)]
pub(crate) struct Input {
    alarm_names: Vec<AlarmName>,
}

impl Operation for EnableAlarmActions {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        input.alarm_names.iter().map(|name| arn(cx.config, name)).collect()
    }

    /// A name without an alarm is ignored, as on AWS.
    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        for name in &input.alarm_names {
            update_actions_enabled(cx.tx, name, true);
        }
        Ok(())
    }
}
