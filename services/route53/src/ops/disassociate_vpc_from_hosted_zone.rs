//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_DisassociateVPCFromHostedZone.html>

use crate::{Error, rules, shapes};
use escale_base::Wire;
use escale_service::{Also, Cx, Operation};
use escale_tables::{ec2::VpcId, route53::HostedZone};

pub(crate) struct DisassociateVPCFromHostedZone;

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

impl Operation for DisassociateVPCFromHostedZone {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![rules::zone_arn(&input.hosted_zone_id)]
    }

    fn also(_input: &Input, _cx: &Cx<'_>) -> Vec<Also> {
        vec![Also::new("ec2:DescribeVpcs", [])]
    }

    /// Does not check the VPC itself, which may have been deleted.
    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut zone = HostedZone::clone(&*rules::zone(cx.tx, &input.hosted_zone_id)?);
        let vpc = input.vpc.vpc_id.unwrap_or_else(|| VpcId::from(""));
        if !zone.vpcs.contains(&vpc) {
            return Err(Error::NotAssociated(vpc, zone.id));
        }
        if zone.vpcs.len() == 1 {
            return Err(Error::LastAssociation(vpc, zone.id));
        }
        zone.vpcs.retain(|v| *v != vpc);
        cx.tx.put(zone);
        Ok(Output { change_info: rules::record_change(cx, input.comment) })
    }
}
