//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetHealthCheck.html>

use crate::{Error, health, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct GetHealthCheck;

#[derive(Wire)]
pub(crate) struct Input {
    health_check_id: String,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) health_check: shapes::HealthCheckShape,
}

impl Operation for GetHealthCheck {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![health::arn(&input.health_check_id)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = health::find(cx.tx, &input.health_check_id)?;
        Ok(Output { health_check: shapes::health_check(&row) })
    }
}
