//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_DeleteHealthCheck.html>

use crate::{Error, health};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::route53::HealthCheck;

pub(crate) struct DeleteHealthCheck;

#[derive(Wire)]
pub(crate) struct Input {
    health_check_id: String,
}

#[derive(Wire)]
pub(crate) struct Output {}

impl Operation for DeleteHealthCheck {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![health::arn(&input.health_check_id)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = health::find(cx.tx, &input.health_check_id)?;
        // As on AWS, record sets may still name it; they then count as healthy.
        let parent = cx.tx.scan::<HealthCheck>().find(|other| other.config.children().contains(&row.id));
        if let Some(parent) = parent {
            return Err(Error::HealthCheckInUse(row.id.clone(), parent.id.clone()));
        }
        cx.tx.delete::<HealthCheck>(&row.id);
        Ok(Output {})
    }
}
