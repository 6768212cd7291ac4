//! <https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScheduledAction.html>

use crate::{
    Error,
    choices::{Dimension, Namespace},
    rules,
    schedule::When,
    shapes::TargetAction,
};
use escale_base::{Arn, Timestamp, Wire, ids};
use escale_service::{Cx, Operation};
use escale_tables::autoscaling::{ResourceId, Schedule, ScheduledAction, ScheduledActionName};

pub(crate) struct PutScheduledAction;

#[derive(Wire)]
pub(crate) struct Input {
    service_namespace: Namespace,
    schedule: Option<Schedule>,
    timezone: Option<String>,
    scheduled_action_name: ScheduledActionName,
    resource_id: String,
    scalable_dimension: Dimension,
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
    scalable_target_action: Option<TargetAction>,
}

impl Operation for PutScheduledAction {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        rules::target_resource(cx, &input.resource_id)
    }

    /// Creates an action or changes it; what the request does not name stays as it is.
    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let resource =
            rules::resource(input.service_namespace, &input.resource_id, input.scalable_dimension)?;
        rules::registered(cx.tx, &resource)?;
        let key = ScheduledAction::key_of(&resource, &input.scheduled_action_name);
        let before = cx.tx.get::<ScheduledAction>(&key).map(|action| (*action).clone());
        let mut action = match before {
            Some(before) => before,
            None => new(cx, resource, &input)?,
        };
        action.schedule = input.schedule.unwrap_or(action.schedule);
        action.timezone = input.timezone.or(action.timezone);
        action.start = input.start_time.or(action.start);
        action.end = input.end_time.or(action.end);
        let limits = input.scalable_target_action.unwrap_or_default();
        (action.min, action.max) = (limits.min_capacity.or(action.min), limits.max_capacity.or(action.max));
        action.updated = cx.now;
        check(&action, cx.now)?;
        cx.tx.put(action);
        Ok(())
    }
}

fn new(cx: &Cx<'_>, resource: ResourceId, input: &Input) -> Result<ScheduledAction, Error> {
    let name = &input.scheduled_action_name;
    if name.contains(['|', ':', '/']) {
        let what = format!("The scheduled action name {name} may not have the characters |, : and /");
        return Err(Error::Invalid(what));
    }
    let others = cx.tx.scan::<ScheduledAction>().filter(|action| action.resource == resource);
    if others.count() >= rules::SCHEDULED_ACTIONS {
        let quota = rules::SCHEDULED_ACTIONS;
        return Err(Error::Limit(format!("A scalable target can have {quota} scheduled actions")));
    }
    let missing = |what| Error::Invalid(format!("A new scheduled action needs {what}"));
    let uuid = ids::random_uuid();
    let rest = format!("scheduledAction:{uuid}:resource/ecs/{resource}:scheduledActionName/{name}");
    Ok(ScheduledAction {
        arn: Arn::new("autoscaling", &cx.config.region, &cx.config.account, rest).to_string(),
        name: name.clone(),
        schedule: input.schedule.clone().ok_or_else(|| missing("a Schedule"))?,
        timezone: None,
        start: None,
        end: None,
        min: None,
        max: None,
        created: cx.now,
        updated: cx.now,
        resource,
    })
}

fn check(action: &ScheduledAction, now: Timestamp) -> Result<(), Error> {
    let when = When::parse(&action.schedule, action.timezone.as_deref())?;
    if when.is_over(now) {
        return Err(Error::Invalid("Scheduled time is in the past".into()));
    }
    match (action.min, action.max) {
        (None, None) => {
            return Err(Error::Invalid(
                "A scheduled action needs a ScalableTargetAction with MinCapacity, MaxCapacity or both"
                    .into(),
            ));
        }
        (Some(min), Some(max)) if max < min => {
            return Err(Error::Invalid("Maximum capacity cannot be less than minimum capacity".into()));
        }
        _ => {}
    }
    if action.start.is_some_and(|start| action.end.is_some_and(|end| end <= start)) {
        return Err(Error::Invalid("The end time must be later than the start time".into()));
    }
    Ok(())
}
