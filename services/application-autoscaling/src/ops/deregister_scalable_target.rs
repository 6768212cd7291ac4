//! <https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DeregisterScalableTarget.html>

use crate::{
    Error,
    choices::{Dimension, Namespace},
    ops::delete_scaling_policy,
    rules,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::autoscaling::{ScalableTarget, ScheduledAction, TargetProgress};

pub(crate) struct DeregisterScalableTarget;

#[derive(Wire)]
pub(crate) struct Input {
    service_namespace: Namespace,
    resource_id: String,
    scalable_dimension: Dimension,
}

impl Operation for DeregisterScalableTarget {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        rules::target_resource(cx, &input.resource_id)
    }

    /// Deletes the policies, their alarms and the scheduled actions, too. The capacity stays, and so do the activities.
    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let resource =
            rules::resource(input.service_namespace, &input.resource_id, input.scalable_dimension)?;
        if !cx.tx.has::<ScalableTarget>(&resource) {
            return Err(Error::NotFound(format!("No scalable target found for {}", rules::named(&resource))));
        }
        let policies: Vec<_> = rules::policies_of(cx.tx, &resource).collect();
        for policy in policies {
            delete_scaling_policy::delete(cx, &policy)?;
        }
        let actions = cx.tx.scan::<ScheduledAction>().filter(|action| action.resource == resource);
        for key in actions.map(|a| ScheduledAction::key_of(&a.resource, &a.name)).collect::<Vec<_>>() {
            cx.tx.delete::<ScheduledAction>(&key);
        }
        cx.tx.delete::<TargetProgress>(&resource);
        cx.tx.delete::<ScalableTarget>(&resource);
        Ok(())
    }
}
