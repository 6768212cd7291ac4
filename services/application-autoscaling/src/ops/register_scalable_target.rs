//! <https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html>

use crate::{
    Error,
    choices::{Dimension, Namespace},
    rules,
    shapes::SuspendedState,
};
use escale_base::{AwsError, Wire, ids};
use escale_service::{Cx, Operation};
use escale_tables::{
    autoscaling::{ResourceId, ScalableTarget},
    ecs::Service,
};
use std::collections::BTreeMap;

pub(crate) struct RegisterScalableTarget;

#[derive(Wire)]
pub(crate) struct Input {
    service_namespace: Namespace,
    resource_id: String,
    scalable_dimension: Dimension,
    min_capacity: Option<i64>,
    max_capacity: Option<i64>,
    #[wire("RoleARN")]
    role_arn: Option<String>,
    suspended_state: Option<SuspendedState>,
    tags: BTreeMap<String, String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    #[wire("ScalableTargetARN")]
    pub(crate) scalable_target_arn: String,
}

impl Operation for RegisterScalableTarget {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        rules::target_resource(cx, &input.resource_id)
    }

    /// Creates a scalable target or changes it; what the request does not name stays as it is.
    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let resource =
            rules::resource(input.service_namespace, &input.resource_id, input.scalable_dimension)?;
        check_role(cx, input.role_arn.as_deref())?;
        rules::ensure_role(cx)?;
        let before = cx.tx.get::<ScalableTarget>(&resource).map(|target| (*target).clone());
        let is_new = before.is_none();
        let mut target = match before {
            Some(before) if input.tags.is_empty() => before,
            Some(_) => {
                return Err(Error::Invalid(
                    "Tags can be given when a scalable target is registered for the first time. Use TagResource".into(),
                ));
            }
            None => new(cx, resource, &input)?,
        };
        let limit = |name: &str, given: Option<i64>, before: u32| match given {
            None => Ok(before),
            Some(value) => u32::try_from(value)
                .ok()
                .filter(|v| *v <= i32::MAX as u32)
                .ok_or_else(|| Error::Invalid(format!("{name} must be 0 or greater, it is {value}"))),
        };
        let min = limit("Minimum capacity", input.min_capacity, target.min)?;
        let max = limit("Maximum capacity", input.max_capacity, target.max)?;
        if max < min {
            return Err(Error::Invalid("Maximum capacity cannot be less than minimum capacity".into()));
        }
        if is_new || (min, max) != (target.min, target.max) {
            (target.min, target.max, target.limited) = (min, max, cx.now);
        }
        target.suspended = input.suspended_state.unwrap_or_default().over(target.suspended);
        let scalable_target_arn = rules::target_arn(cx.config, &target.id);
        cx.tx.put(target);
        Ok(Output { scalable_target_arn })
    }
}

fn new(cx: &Cx<'_>, resource: ResourceId, input: &Input) -> Result<ScalableTarget, Error> {
    if input.min_capacity.is_none() || input.max_capacity.is_none() {
        return Err(Error::Invalid(
            "MinCapacity and MaxCapacity are required to register a new scalable target".into(),
        ));
    }
    let service = cx.tx.get::<Service>(resource.service_key());
    if service.is_none_or(|service| service.deleted.is_some()) {
        return Err(Error::Invalid(format!("ECS service doesn't exist: {resource}")));
    }
    rules::check_tags(&input.tags)?;
    Ok(ScalableTarget {
        resource,
        id: ids::random_hex(36),
        min: 0,
        max: 0,
        suspended: Default::default(),
        tags: rules::tag_list(input.tags.clone()),
        created: cx.now,
        limited: cx.now,
    })
}

/// ECS services are scaled under the service-linked role. AWS accepts its ARN and ignores every other one.
fn check_role(cx: &Cx<'_>, role_arn: Option<&str>) -> Result<(), Error> {
    match role_arn.filter(|given| *given != rules::role_arn(cx.config)) {
        None => Ok(()),
        Some(other) => {
            Err(AwsError::not_supported(format_args!("The role {other} for scaling an ECS service"))
                .hint("Leave RoleARN out: the service-linked role is used.")
                .into())
        }
    }
}
