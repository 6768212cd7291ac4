//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_UpdateHostedZoneComment.html>

use crate::{Error, rules, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::route53::HostedZone;

pub(crate) struct UpdateHostedZoneComment;

#[derive(Wire)]
pub(crate) struct Input {
    id: String,
    comment: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    hosted_zone: shapes::ZoneShape,
}

impl Operation for UpdateHostedZoneComment {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![rules::zone_arn(&input.id)]
    }

    /// Without a comment in the request, deletes the present one.
    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut zone = HostedZone::clone(&*rules::own_zone(cx, &input.id)?);
        zone.comment = input.comment;
        cx.tx.put(zone.clone());
        Ok(Output { hosted_zone: shapes::zone(cx.tx, &zone) })
    }
}
