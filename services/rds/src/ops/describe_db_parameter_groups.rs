//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBParameterGroups.html>

use crate::{
    Error, engines,
    filters::{self, Filter},
    rules, shapes,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::rds::ParameterGroup;
use std::collections::BTreeMap;

pub(crate) struct DescribeDBParameterGroups;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("DBParameterGroupName")]
    name: Option<String>,
    filters: Vec<Filter>,
    max_records: Option<usize>,
    marker: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    marker: Option<String>,
    #[wire("DBParameterGroups")]
    pub(crate) parameter_groups: Vec<shapes::ParameterGroupShape>,
}

impl Operation for DescribeDBParameterGroups {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx, "pg", input.name.as_deref().unwrap_or("*"))]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        filters::passes(&input.filters, |_| None)?;
        let mut all: BTreeMap<String, ParameterGroup> =
            cx.tx.scan::<ParameterGroup>().map(|g| (g.name.clone(), (*g).clone())).collect();
        for major in engines::majors(cx.tx) {
            let default = default_group(major);
            all.insert(default.name.clone(), default);
        }
        let rows: Vec<ParameterGroup> =
            match input.name.map(|n| n.to_ascii_lowercase()).filter(|n| !n.is_empty()) {
                Some(name) => vec![all.remove(&name).ok_or(Error::NoParameterGroup(name))?],
                None => all.into_values().collect(),
            };
        let page = filters::page(rows, |r| r.name.clone(), input.marker.as_deref(), input.max_records)?;
        let parameter_groups = page.items.iter().map(|row| shapes::parameter_group(cx, row)).collect();
        Ok(Output { marker: page.next, parameter_groups })
    }
}

/// A default group. It is not stored, since it sets no parameters.
fn default_group(major: u32) -> ParameterGroup {
    ParameterGroup {
        name: rules::default_parameter_group(major),
        family: format!("postgres{major}"),
        description: format!("Default parameter group for postgres{major}"),
        parameters: BTreeMap::new(),
        revision: 0,
        tags: vec![],
    }
}
