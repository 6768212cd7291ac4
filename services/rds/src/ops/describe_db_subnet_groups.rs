//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBSubnetGroups.html>

use crate::{
    Error,
    filters::{self, Filter},
    rules, shapes,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::rds::SubnetGroup;

pub(crate) struct DescribeDBSubnetGroups;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("DBSubnetGroupName")]
    name: Option<String>,
    filters: Vec<Filter>,
    max_records: Option<usize>,
    marker: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    marker: Option<String>,
    #[wire("DBSubnetGroups")]
    pub(crate) subnet_groups: Vec<shapes::SubnetGroupShape>,
}

impl Operation for DescribeDBSubnetGroups {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx, "subgrp", input.name.as_deref().unwrap_or("*"))]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let rows = match input.name.as_deref().filter(|n| !n.is_empty()) {
            Some(name) => vec![rules::subnet_group(cx.tx, name)?],
            None => cx.tx.scan::<SubnetGroup>().collect(),
        };
        filters::passes(&input.filters, |_| None)?;
        let page = filters::page(rows, |r| r.name.clone(), input.marker.as_deref(), input.max_records)?;
        let subnet_groups = page.items.iter().map(|row| shapes::subnet_group(cx, row)).collect();
        Ok(Output { marker: page.next, subnet_groups })
    }
}
