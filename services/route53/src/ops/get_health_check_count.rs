//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetHealthCheckCount.html>

use crate::Error;
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::route53::HealthCheck;

pub(crate) struct GetHealthCheckCount;

#[derive(Wire)]
pub(crate) struct Input {}

#[derive(Wire)]
pub(crate) struct Output {
    health_check_count: usize,
}

impl Operation for GetHealthCheckCount {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, _: Input) -> Result<Output, Error> {
        Ok(Output { health_check_count: cx.tx.scan::<HealthCheck>().count() })
    }
}
