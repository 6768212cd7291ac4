//! <https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScalingPolicies.html>

use crate::{
    Error,
    choices::{Dimension, Namespace},
    rules,
    shapes::{self, PolicyShape},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::autoscaling::{Policy, PolicyName};

pub(crate) struct DescribeScalingPolicies;

#[derive(Wire)]
pub(crate) struct Input {
    service_namespace: Namespace,
    policy_names: Vec<PolicyName>,
    resource_id: Option<String>,
    scalable_dimension: Option<Dimension>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) scaling_policies: Vec<PolicyShape>,
    next_token: Option<String>,
}

impl Operation for DescribeScalingPolicies {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let of = input.resource_id.as_deref();
        rules::check_filter(input.service_namespace, of, input.scalable_dimension)?;
        let found = cx.tx.scan::<Policy>().filter(|policy| {
            of.is_none_or(|of| policy.resource == *of)
                && (input.policy_names.is_empty() || input.policy_names.contains(&policy.name))
        });
        let (items, next_token) = rules::page(
            found,
            |row| Policy::key_of(&row.resource, &row.name),
            input.next_token.as_deref(),
            input.max_results,
        )?;
        let scaling_policies = items.iter().map(|row| shapes::policy(cx.tx, cx.config, row)).collect();
        Ok(Output { scaling_policies, next_token })
    }
}
