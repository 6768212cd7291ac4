//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html>

use crate::{
    Error,
    alarms::{
        Rule, arn, check_actions, check_children, check_composite_actions, check_suppressor, record_put,
    },
};
use escale_base::{Tag, Wire};
use escale_service::{Cx, Operation};
use escale_tables::cloudwatch::{Actions, Alarm, AlarmName, CompositeAlarm, Suppressor, SuppressorRef};

pub(crate) struct PutCompositeAlarm;

#[derive(Wire)]
pub(crate) struct Input {
    alarm_name: AlarmName,
    alarm_rule: String,
    alarm_description: Option<String>,
    actions_enabled: Option<bool>,
    #[wire("OKActions")]
    ok_actions: Vec<String>,
    alarm_actions: Vec<String>,
    insufficient_data_actions: Vec<String>,
    tags: Vec<Tag>,
    actions_suppressor: Option<SuppressorRef>,
    actions_suppressor_wait_period: Option<i64>,
    actions_suppressor_extension_period: Option<i64>,
}

impl Operation for PutCompositeAlarm {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![arn(cx.config, &input.alarm_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        if cx.tx.has::<Alarm>(&input.alarm_name) {
            return Err(Error::Validation(format!(
                "There is a metric alarm named {}. Choose another name, or delete it first.",
                input.alarm_name
            )));
        }
        let children = Rule::parse(&input.alarm_rule)?.children();
        check_children(cx.tx, &input.alarm_name, &children)?;
        let suppressor = suppressor(&input)?;
        if let Some(wish) = &suppressor {
            check_suppressor(cx.tx, &input.alarm_name, wish)?;
        }
        let actions = Actions {
            ok: input.ok_actions,
            alarm: input.alarm_actions,
            insufficient_data: input.insufficient_data_actions,
        };
        check_composite_actions(&actions)?;
        check_actions(cx.cloud(), actions.all())?;
        let before = cx.tx.get::<CompositeAlarm>(&input.alarm_name);
        record_put(cx, &input.alarm_name, before.is_some());
        cx.tx.put(CompositeAlarm {
            description: input.alarm_description,
            actions_enabled: input.actions_enabled.unwrap_or(true),
            actions,
            rule: input.alarm_rule,
            children: children.into_iter().collect(),
            suppressor,
            // Tags of an existing alarm are changed by TagResource only.
            tags: before.as_ref().map_or(input.tags, |old| old.tags.clone()),
            created: before.as_ref().map_or(cx.now, |old| old.created),
            updated: cx.now,
            name: input.alarm_name,
        });
        Ok(())
    }
}

/// AWS needs both periods with a suppressor, and neither without.
fn suppressor(input: &Input) -> Result<Option<Suppressor>, Error> {
    let periods = (input.actions_suppressor_wait_period, input.actions_suppressor_extension_period);
    match (&input.actions_suppressor, periods) {
        (None, (None, None)) => Ok(None),
        (Some(alarm), (Some(wait), Some(extension))) => {
            let secs = |name: &str, secs: i64| {
                u32::try_from(secs).map_err(|_| {
                    Error::Validation(format!("The parameter {name} must be a number of seconds; it is {secs}."))
                })
            };
            Ok(Some(Suppressor {
                alarm: alarm.clone(),
                wait_s: secs("ActionsSuppressorWaitPeriod", wait)?,
                extension_s: secs("ActionsSuppressorExtensionPeriod", extension)?,
            }))
        }
        _ => Err(Error::Validation(
            "ActionsSuppressor, ActionsSuppressorWaitPeriod and ActionsSuppressorExtensionPeriod must be specified together.".into(),
        )),
    }
}
