//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcs.html>

use crate::{
    Error,
    filters::{self, Filter},
    rules, shapes, status,
};
use escale_base::{Wire, limits, paging};
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Vpc, VpcId};

pub(crate) struct DescribeVpcs;

#[derive(Wire)]
pub(crate) struct Input {
    vpc_ids: Vec<VpcId>,
    filters: Vec<Filter>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    vpcs: Vec<shapes::VpcShape>,
    next_token: Option<String>,
}

impl Operation for DescribeVpcs {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        for id in &input.vpc_ids {
            rules::vpc(cx, id)?;
        }
        let mut found = Vec::new();
        for row in cx.tx.scan::<Vpc>() {
            let named = input.vpc_ids.is_empty() || input.vpc_ids.contains(&row.id);
            let state = status::vpc(cx.tx, &row.id);
            let value_of = |name: &str| match name {
                "vpc-id" => Some(vec![row.id.to_string()]),
                "cidr" | "cidr-block-association.cidr-block" => Some(vec![row.cidr.to_string()]),
                "state" => Some(vec![state.to_owned()]),
                "is-default" | "isDefault" => Some(vec!["false".to_owned()]),
                "owner-id" => Some(vec![cx.config.account.clone()]),
                _ => None,
            };
            if named && filters::passes(&input.filters, &row.tags, value_of)? {
                found.push(shapes::vpc(&row, state, cx.config));
            }
        }
        let size = input.max_results.unwrap_or(limits::PAGE_DEFAULT);
        let page = paging::page(found, |v| v.vpc_id.to_string(), input.next_token.as_deref(), size)?;
        Ok(Output { vpcs: page.items, next_token: page.next })
    }
}
