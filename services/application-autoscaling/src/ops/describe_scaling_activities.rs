//! <https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScalingActivities.html>

use crate::{
    Error,
    choices::{Dimension, Namespace},
    rules,
    shapes::{self, ActivityShape},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::autoscaling::Activity;

pub(crate) struct DescribeScalingActivities;

#[derive(Wire)]
pub(crate) struct Input {
    service_namespace: Namespace,
    resource_id: Option<String>,
    include_not_scaled_activities: Option<bool>,
    scalable_dimension: Option<Dimension>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) scaling_activities: Vec<ActivityShape>,
    next_token: Option<String>,
}

impl Operation for DescribeScalingActivities {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    /// The newest first.
    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let of = input.resource_id.as_deref();
        rules::check_filter(input.service_namespace, of, input.scalable_dimension)?;
        let with_all = input.include_not_scaled_activities == Some(true);
        let found = cx.tx.scan::<Activity>().filter(|activity| {
            of.is_none_or(|of| activity.resource == *of) && (with_all || activity.not_scaled.is_none())
        });
        let (items, next_token) = rules::page(
            found,
            |row| format!("{:020}{}", i64::MAX - row.started.0, row.id),
            input.next_token.as_deref(),
            input.max_results,
        )?;
        let scaling_activities = items.iter().map(|row| shapes::activity(row)).collect();
        Ok(Output { scaling_activities, next_token })
    }
}
