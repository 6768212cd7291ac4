//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetHostedZone.html>

use crate::{Error, rules, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct GetHostedZone;

#[derive(Wire)]
pub(crate) struct Input {
    id: String,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) hosted_zone: shapes::ZoneShape,
    delegation_set: Option<shapes::DelegationSet>,
    #[wire("VPCs")]
    pub(crate) vpcs: Option<Vec<shapes::VpcShape>>,
}

impl Operation for GetHostedZone {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![rules::zone_arn(&input.id)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let zone = rules::zone(cx.tx, &input.id)?;
        Ok(Output {
            hosted_zone: shapes::zone(cx.tx, &zone),
            delegation_set: shapes::delegation_set(&zone),
            vpcs: zone.private.then(|| shapes::vpcs(&zone, cx.config)),
        })
    }
}
