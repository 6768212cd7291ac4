//! <https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DeleteScheduledAction.html>

use crate::{
    Error,
    choices::{Dimension, Namespace},
    rules,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::autoscaling::{ScheduledAction, ScheduledActionName};

pub(crate) struct DeleteScheduledAction;

#[derive(Wire)]
pub(crate) struct Input {
    service_namespace: Namespace,
    scheduled_action_name: ScheduledActionName,
    resource_id: String,
    scalable_dimension: Dimension,
}

impl Operation for DeleteScheduledAction {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        rules::target_resource(cx, &input.resource_id)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let resource =
            rules::resource(input.service_namespace, &input.resource_id, input.scalable_dimension)?;
        let name = &input.scheduled_action_name;
        let key = ScheduledAction::key_of(&resource, name);
        if !cx.tx.has::<ScheduledAction>(&key) {
            return Err(Error::NotFound(format!(
                "No scheduled action found for {}, scheduled action name: {name}",
                rules::named(&resource)
            )));
        }
        cx.tx.delete::<ScheduledAction>(&key);
        Ok(())
    }
}
