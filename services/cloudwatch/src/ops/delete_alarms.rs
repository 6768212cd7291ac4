//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DeleteAlarms.html>

use crate::{
    Error,
    alarms::{arn, parents, subject},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudwatch::{
    Alarm, AlarmHistory, AlarmInvocation, AlarmName, AlarmSeen, AlarmSuppression, CompositeAlarm,
};

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
        if let Some(missing) = input.alarm_names.iter().find(|name| subject(cx.tx, name).is_none()) {
            return Err(Error::NoResource(missing.to_string()));
        }
        if input.alarm_names.iter().filter(|name| cx.tx.has::<CompositeAlarm>(name)).count() > 1 {
            return Err(Error::Validation(
                "At most one of the alarms to delete may be a composite alarm. Delete each of them in a request of its own."
                    .into(),
            ));
        }
        for name in &input.alarm_names {
            if let Some(parent) = parents(cx.tx, name).find(|parent| !input.alarm_names.contains(parent)) {
                return Err(Error::Validation(format!(
                    "The alarm {name} cannot be deleted: the composite alarm {parent} names it. Change or delete {parent} \
                     first."
                )));
            }
        }
        for name in &input.alarm_names {
            cx.tx.delete::<Alarm>(name);
            cx.tx.delete::<CompositeAlarm>(name);
            cx.tx.delete::<AlarmSeen>(name);
            cx.tx.delete::<AlarmInvocation>(name);
            cx.tx.delete::<AlarmSuppression>(name);
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
