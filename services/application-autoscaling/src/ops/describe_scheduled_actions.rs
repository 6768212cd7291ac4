//! <https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScheduledActions.html>

use crate::{
    Error,
    choices::{Dimension, Namespace},
    rules,
    shapes::{self, ActionShape},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::autoscaling::{ScheduledAction, ScheduledActionName};

pub(crate) struct DescribeScheduledActions;

#[derive(Wire)]
pub(crate) struct Input {
    service_namespace: Namespace,
    scheduled_action_names: Vec<ScheduledActionName>,
    resource_id: Option<String>,
    scalable_dimension: Option<Dimension>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) scheduled_actions: Vec<ActionShape>,
    next_token: Option<String>,
}

impl Operation for DescribeScheduledActions {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let of = input.resource_id.as_deref();
        rules::check_filter(input.service_namespace, of, input.scalable_dimension)?;
        let names = &input.scheduled_action_names;
        let found = cx.tx.scan::<ScheduledAction>().filter(|action| {
            of.is_none_or(|of| action.resource == *of) && (names.is_empty() || names.contains(&action.name))
        });
        let (items, next_token) = rules::page(
            found,
            |row| ScheduledAction::key_of(&row.resource, &row.name),
            input.next_token.as_deref(),
            input.max_results,
        )?;
        let scheduled_actions = items.iter().map(|row| shapes::action(row)).collect();
        Ok(Output { scheduled_actions, next_token })
    }
}
