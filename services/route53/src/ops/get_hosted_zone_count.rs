//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetHostedZoneCount.html>

use crate::Error;
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::route53::HostedZone;

pub(crate) struct GetHostedZoneCount;

#[derive(Wire)]
pub(crate) struct Input {}

#[derive(Wire)]
pub(crate) struct Output {
    hosted_zone_count: usize,
}

impl Operation for GetHostedZoneCount {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, _: Input) -> Result<Output, Error> {
        Ok(Output { hosted_zone_count: cx.tx.scan::<HostedZone>().count() })
    }
}
