//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpc.html>

use crate::{
    Error, acls,
    choices::{ResourceType, Tenancy},
    initial, ipv6, rules, shapes, status,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Vpc, VpcId};
use ipnet::Ipv4Net;

pub(crate) struct CreateVpc;

#[derive(Wire)]
pub(crate) struct Input {
    cidr_block: Option<String>,
    instance_tenancy: Option<Tenancy>,
    amazon_provided_ipv6_cidr_block: Option<bool>,
    tag_specifications: Vec<shapes::TagSpecification>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) vpc: shapes::vpc::VpcShape,
}

impl Operation for CreateVpc {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let text = input.cidr_block.ok_or(Error::Missing("cidrBlock"))?;
        let cidr = rules::cidr("cidrBlock", &text)?;
        if !rules::VPC_PREFIXES.contains(&cidr.prefix_len()) {
            return Err(Error::VpcRange(text));
        }
        reserved(cidr)?;
        if let Some(tenancy) = input.instance_tenancy.filter(|t| *t != Tenancy::Default) {
            let why = "Only the tenancy 'default' is supported: the machine's hardware is not shared.";
            return Err(Error::invalid("instanceTenancy", tenancy, why));
        }
        let vpc = Vpc {
            id: VpcId::random(),
            cidr,
            dns_support: true,
            dns_hostnames: false,
            tags: shapes::tags_for(&input.tag_specifications, ResourceType::Vpc)?,
            created: cx.now,
        };
        cx.tx.put(initial::main_route_table(&vpc, Vec::new()));
        initial::default_group(cx.tx, &vpc);
        cx.tx.put(acls::default_acl(&vpc));
        if input.amazon_provided_ipv6_cidr_block == Some(true) {
            ipv6::associate_vpc(cx.tx, &vpc.id)?;
        }
        let shape = shapes::vpc::vpc(cx, &vpc, status::vpc(cx.tx, &vpc.id));
        cx.tx.put(vpc);
        Ok(Output { vpc: shape })
    }
}

/// Refuses the ranges that Escale uses for other purposes.
fn reserved(cidr: Ipv4Net) -> Result<(), Error> {
    for (block, what) in [
        (escale_network::PUBLIC, "the Internet's public addresses"),
        (Ipv4Net::new_assert([127, 0, 0, 0].into(), 8), "loopback"),
        (Ipv4Net::new_assert([169, 254, 0, 0].into(), 16), "link-local addresses"),
        (Ipv4Net::new_assert([100, 64, 0, 0].into(), 10), "service endpoints"),
    ] {
        if block.contains(&cidr.network()) || cidr.contains(&block.network()) {
            let why = format!("It overlaps {what} ({block}). Choose another range, for example 10.0.0.0/16.");
            return Err(Error::invalid("cidrBlock", cidr, why));
        }
    }
    Ok(())
}
