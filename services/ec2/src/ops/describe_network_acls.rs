//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNetworkAcls.html>

use crate::{
    Error,
    filters::{self, Filter, many, one},
    rules,
    shapes::network_acl::{self, AclShape, EntryShape},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::NetworkAcl;

pub(crate) struct DescribeNetworkAcls;

#[derive(Wire)]
pub(crate) struct Input {
    network_acl_ids: Vec<String>,
    filters: Vec<Filter>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) network_acls: Vec<AclShape>,
    next_token: Option<String>,
}

impl Operation for DescribeNetworkAcls {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut found = Vec::new();
        for row in rules::named::<NetworkAcl>(cx, &input.network_acl_ids)? {
            let acl = network_acl::acl(cx, &row);
            if filters::passes(&input.filters, &row.tags, |name| values(&acl, name))? {
                found.push(acl);
            }
        }
        let key = |a: &AclShape| a.network_acl_id.to_string();
        let (network_acls, next_token) = filters::page(found, key, input.next_token, input.max_results)?;
        Ok(Output { network_acls, next_token })
    }
}

fn values(acl: &AclShape, filter: &str) -> Option<Vec<String>> {
    match filter {
        "network-acl-id" => one(&acl.network_acl_id),
        "vpc-id" => one(&acl.vpc_id),
        "default" => one(acl.is_default),
        "owner-id" => one(&acl.owner_id),
        "association.network-acl-id" => many(acl.associations.iter().map(|a| &a.network_acl_id)),
        "association.subnet-id" => many(acl.associations.iter().map(|a| &a.subnet_id)),
        "association.association-id" => many(acl.associations.iter().map(|a| &a.network_acl_association_id)),
        name => entry_values(&acl.entries, name.strip_prefix("entry.")?),
    }
}

fn entry_values(entries: &[EntryShape], filter: &str) -> Option<Vec<String>> {
    let icmp = || entries.iter().filter_map(|e| e.icmp_type_code);
    let ports = || entries.iter().filter_map(|e| e.port_range);
    match filter {
        "cidr" => many(entries.iter().filter_map(|e| e.cidr_block.as_ref())),
        "ipv6-cidr" => many(entries.iter().filter_map(|e| e.ipv6_cidr_block.as_ref())),
        "egress" => many(entries.iter().map(|e| e.egress)),
        "icmp.code" => many(icmp().filter_map(|i| i.code)),
        "icmp.type" => many(icmp().filter_map(|i| i.kind)),
        "port-range.from" => many(ports().filter_map(|p| p.from)),
        "port-range.to" => many(ports().filter_map(|p| p.to)),
        // AWS's filter has names for these three; other protocols have their numbers.
        "protocol" => many(entries.iter().map(|e| match e.protocol.as_str() {
            "1" => "icmp",
            "6" => "tcp",
            "17" => "udp",
            number => number,
        })),
        "rule-action" => many(entries.iter().map(|e| e.rule_action)),
        "rule-number" => many(entries.iter().map(|e| e.rule_number)),
        _ => None,
    }
}
