//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DeleteAlarms.html>

use crate::{Error, alarms::arn};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudwatch::{Alarm, AlarmHistory, AlarmInvocation, AlarmName, AlarmSeen};

pub(crate) struct DeleteAlarms;

#[derive(Wire)]
pub(crate) struct Input {
    alarm_names: Vec<AlarmName>,
}

impl Operation for DeleteAlarms {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        input.alarm_names.iter().map(|name| arn(cx.config, name)).collect()
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        // All or none, as on AWS.
        if let Some(missing) = input.alarm_names.iter().find(|name| !cx.tx.has::<Alarm>(name)) {
            return Err(Error::NoResource(missing.to_string()));
        }
        for name in &input.alarm_names {
            cx.tx.delete::<Alarm>(name);
            cx.tx.delete::<AlarmSeen>(name);
            cx.tx.delete::<AlarmInvocation>(name);
            let prefix = format!("{name}/");
            let items: Vec<String> = cx
                .tx
                .prefix::<AlarmHistory>(&prefix)
                .filter(|item| item.name == *name)
                .map(|item| format!("{}/{:020}", item.name, item.number))
                .collect();
            for key in items {
                cx.tx.delete::<AlarmHistory>(&key);
            }
        }
        Ok(())
    }
}
