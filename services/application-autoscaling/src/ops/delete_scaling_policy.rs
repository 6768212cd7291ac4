//! <https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DeleteScalingPolicy.html>

use crate::{
    Error,
    choices::{Dimension, Namespace},
    rules, tracking,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::autoscaling::{Policy, PolicyKind, PolicyName};

pub(crate) struct DeleteScalingPolicy;

#[derive(Wire)]
pub(crate) struct Input {
    policy_name: PolicyName,
    service_namespace: Namespace,
    resource_id: String,
    scalable_dimension: Dimension,
}

impl Operation for DeleteScalingPolicy {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        rules::target_resource(cx, &input.resource_id)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let resource =
            rules::resource(input.service_namespace, &input.resource_id, input.scalable_dimension)?;
        let policy = cx.tx.get::<Policy>(&Policy::key_of(&resource, &input.policy_name));
        let policy = policy.ok_or_else(|| {
            let name = &input.policy_name;
            Error::NotFound(format!(
                "No scaling policy found for {}, policy name: {name}",
                rules::named(&resource)
            ))
        })?;
        delete(cx, &policy)
    }
}

/// Deletes a policy with the alarms that it made. Those of a user, which invoke step policies, stay.
pub(super) fn delete(cx: &mut Cx<'_>, policy: &Policy) -> Result<(), Error> {
    if let PolicyKind::TargetTracking(tracking) = &policy.kind {
        tracking::delete_alarms(cx, [&tracking.high].into_iter().chain(&tracking.low))?;
    }
    cx.tx.delete::<Policy>(&Policy::key_of(&policy.resource, &policy.name));
    Ok(())
}
