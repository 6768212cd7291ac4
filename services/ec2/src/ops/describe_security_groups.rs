//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroups.html>

use crate::{
    Error,
    filters::{self, Filter, many, one},
    rules,
    shapes::group::{self, GroupShape, IpPermission},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Group, GroupId};

pub(crate) struct DescribeSecurityGroups;

#[derive(Wire)]
pub(crate) struct Input {
    group_ids: Vec<GroupId>,
    group_names: Vec<String>,
    filters: Vec<Filter>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) security_groups: Vec<GroupShape>,
    next_token: Option<String>,
}

impl Operation for DescribeSecurityGroups {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut ids = input.group_ids;
        for name in input.group_names {
            ids.push(rules::group(cx, None, Some(name))?.id.clone());
        }
        let mut found = Vec::new();
        for row in rules::named::<Group>(cx, &ids)? {
            let shape = group::group(cx, &row);
            if filters::passes(&input.filters, &row.tags, |name| value_of(&shape, name))? {
                found.push(shape);
            }
        }
        let key = |g: &GroupShape| g.group_id.to_string();
        let (security_groups, next_token) = filters::page(found, key, input.next_token, input.max_results)?;
        Ok(Output { security_groups, next_token })
    }
}

fn value_of(shape: &GroupShape, name: &str) -> Option<Vec<String>> {
    match name {
        "group-id" => return one(&shape.group_id),
        "group-name" => return one(&shape.group_name),
        "vpc-id" => return one(&shape.vpc_id),
        "description" => return one(&shape.description),
        "owner-id" => return one(&shape.owner_id),
        _ => {}
    }
    match name.strip_prefix("egress.ip-permission.") {
        Some(rest) => of_permissions(&shape.ip_permissions_egress, rest),
        None => of_permissions(&shape.ip_permissions, name.strip_prefix("ip-permission.")?),
    }
}

fn of_permissions(all: &[IpPermission], name: &str) -> Option<Vec<String>> {
    match name {
        "protocol" => many(all.iter().filter_map(|p| p.ip_protocol.as_ref())),
        "from-port" => many(all.iter().filter_map(|p| p.from_port)),
        "to-port" => many(all.iter().filter_map(|p| p.to_port)),
        "cidr" => many(all.iter().flat_map(|p| &p.ip_ranges).filter_map(|r| r.cidr_ip.as_ref())),
        "ipv6-cidr" => many(all.iter().flat_map(|p| &p.ipv6_ranges).filter_map(|r| r.cidr_ipv6.as_ref())),
        "group-id" => {
            many(all.iter().flat_map(|p| &p.user_id_group_pairs).filter_map(|g| g.group_id.as_ref()))
        }
        "prefix-list-id" => {
            many(all.iter().flat_map(|p| &p.prefix_list_ids).filter_map(|l| l.prefix_list_id.as_ref()))
        }
        _ => None,
    }
}
