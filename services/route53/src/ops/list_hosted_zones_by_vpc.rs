//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListHostedZonesByVPC.html>

use crate::{Error, rules, shapes};
use escale_base::{Wire, limits, paging};
use escale_service::{Also, Cx, Operation};
use escale_tables::route53::{CanonicalName, HostedZoneId};
use escale_tables::{ec2::VpcId, route53::HostedZone};

pub(crate) struct ListHostedZonesByVPC;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("VPCId")]
    vpc_id: VpcId,
    #[wire("VPCRegion")]
    vpc_region: String,
    max_items: Option<String>,
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    hosted_zone_summaries: Vec<Summary>,
    max_items: String,
    next_token: Option<String>,
}

#[derive(Wire)]
struct Summary {
    hosted_zone_id: HostedZoneId,
    name: CanonicalName,
    owner: Owner,
}

#[derive(Wire)]
struct Owner {
    owning_account: String,
}

impl Operation for ListHostedZonesByVPC {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn also(_input: &Input, _cx: &Cx<'_>) -> Vec<Also> {
        vec![Also::new("ec2:DescribeVpcs", [])]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let size = rules::max_items(input.max_items.as_deref(), limits::dns::ZONES_PAGE)?;
        let named = shapes::VpcShape { vpc_region: Some(input.vpc_region), vpc_id: Some(input.vpc_id) };
        let vpc = rules::vpc(cx, &named)?;
        let summary = |zone: &HostedZone| Summary {
            hosted_zone_id: zone.id.clone(),
            name: zone.name.clone(),
            owner: Owner { owning_account: cx.config.account.clone() },
        };
        let rows = cx.tx.scan::<HostedZone>().filter(|z| z.vpcs.contains(&vpc)).map(|z| summary(&z));
        let page = paging::page(rows, |s| s.hosted_zone_id.to_string(), input.next_token.as_deref(), size)?;
        Ok(Output { hosted_zone_summaries: page.items, max_items: size.to_string(), next_token: page.next })
    }
}
