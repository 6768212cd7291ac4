//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_AssociateVPCWithHostedZone.html>

use crate::{Error, rules, shapes};
use escale_base::Wire;
use escale_service::{Also, Cx, Operation};
use escale_tables::route53::HostedZone;

pub(crate) struct AssociateVPCWithHostedZone;

#[derive(Wire)]
pub(crate) struct Input {
    hosted_zone_id: String,
    #[wire("VPC")]
    vpc: shapes::VpcShape,
    comment: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) change_info: shapes::ChangeInfo,
}

impl Operation for AssociateVPCWithHostedZone {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![rules::zone_arn(&input.hosted_zone_id)]
    }

    fn also(_input: &Input, _cx: &Cx<'_>) -> Vec<Also> {
        vec![Also::new("ec2:DescribeVpcs", [])]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut zone = HostedZone::clone(&*rules::zone(cx.tx, &input.hosted_zone_id)?);
        if !zone.private {
            return Err(Error::PublicZone(zone.id));
        }
        let vpc = rules::vpc(cx, &input.vpc)?;
        rules::no_conflict(cx.tx, cx.config, &zone.name, Some(&vpc))?;
        zone.vpcs.push(vpc);
        cx.tx.put(zone);
        Ok(Output { change_info: rules::record_change(cx, input.comment) })
    }
}
