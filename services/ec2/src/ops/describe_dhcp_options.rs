//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeDhcpOptions.html>

use crate::{
    Error, dhcp,
    filters::{self, Filter, many, one},
    rules,
    shapes::dhcp::{OptionsShape, options},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::DhcpOptions;
use std::sync::Arc;

pub(crate) struct DescribeDhcpOptions;

#[derive(Wire)]
pub(crate) struct Input {
    dhcp_options_ids: Vec<String>,
    filters: Vec<Filter>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) dhcp_options: Vec<OptionsShape>,
    next_token: Option<String>,
}

impl Operation for DescribeDhcpOptions {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let (default, mut ids) = (dhcp::DEFAULT.to_owned(), input.dhcp_options_ids);
        let with_default = ids.is_empty() || ids.contains(&default);
        let all = ids.is_empty();
        ids.retain(|id| *id != default);
        let mut rows = Vec::new();
        if all || !ids.is_empty() {
            rows = rules::named::<DhcpOptions>(cx, &ids)?;
        }
        rows.extend(with_default.then(|| Arc::new(dhcp::default_options())));
        rows.sort_by(|a, b| a.id.cmp(&b.id));
        let mut found = Vec::new();
        for row in rows {
            let shape = options(cx, &row);
            if filters::passes(&input.filters, &row.tags, |name| values(&shape, name))? {
                found.push(shape);
            }
        }
        let key = |o: &OptionsShape| o.dhcp_options_id.to_string();
        let (dhcp_options, next_token) = filters::page(found, key, input.next_token, input.max_results)?;
        Ok(Output { dhcp_options, next_token })
    }
}

fn values(shape: &OptionsShape, filter: &str) -> Option<Vec<String>> {
    let configurations = shape.dhcp_configurations.iter();
    match filter {
        "dhcp-options-id" => one(&shape.dhcp_options_id),
        "owner-id" => one(&shape.owner_id),
        "key" => many(configurations.map(|c| c.key)),
        "value" => many(configurations.flat_map(|c| &c.values).filter_map(|v| v.value.as_ref())),
        _ => None,
    }
}
