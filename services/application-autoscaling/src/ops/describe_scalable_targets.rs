//! <https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScalableTargets.html>

use crate::{
    Error,
    choices::{Dimension, Namespace},
    rules,
    shapes::{self, TargetShape},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::autoscaling::ScalableTarget;

pub(crate) struct DescribeScalableTargets;

#[derive(Wire)]
pub(crate) struct Input {
    service_namespace: Namespace,
    resource_ids: Vec<String>,
    scalable_dimension: Option<Dimension>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) scalable_targets: Vec<TargetShape>,
    next_token: Option<String>,
}

impl Operation for DescribeScalableTargets {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let named = input.resource_ids.first().map(String::as_str);
        rules::check_filter(input.service_namespace, named, input.scalable_dimension)?;
        let is_named = |id: &str| input.resource_ids.is_empty() || input.resource_ids.iter().any(|r| r == id);
        let found = cx.tx.scan::<ScalableTarget>().filter(|target| is_named(&target.resource));
        let (items, next_token) = rules::page(
            found,
            |row| row.resource.to_string(),
            input.next_token.as_deref(),
            input.max_results,
        )?;
        let scalable_targets = items.iter().map(|row| shapes::target(cx.config, row)).collect();
        Ok(Output { scalable_targets, next_token })
    }
}
