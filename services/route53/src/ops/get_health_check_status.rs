//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetHealthCheckStatus.html>
//!
//! AWS reports the result of each of its checkers. Here there is one, which is in no region.

use crate::{Error, health, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::route53::HealthCheckSeen;

pub(crate) struct GetHealthCheckStatus;

#[derive(Wire)]
pub(crate) struct Input {
    health_check_id: String,
}

#[derive(Wire)]
pub(crate) struct Output {
    health_check_observations: Vec<shapes::Observation>,
}

impl Operation for GetHealthCheckStatus {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![health::arn(&input.health_check_id)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = health::find(cx.tx, &input.health_check_id)?;
        let seen = cx.tx.get::<HealthCheckSeen>(&row.id);
        // The others are computed for this answer.
        let at = seen.and_then(|seen| seen.last.as_ref().map(|last| last.at)).unwrap_or(cx.now);
        let observation = health::report(cx.tx, &row).map(|status| shapes::observation(status, at));
        Ok(Output { health_check_observations: observation.into_iter().collect() })
    }
}
