//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBParameters.html>

use super::modify_db_parameter_group::ApplyMethod;
use crate::{
    Error, engines,
    filters::{self, Filter},
    parameters, rules,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::rds::ParameterGroup;
use std::collections::BTreeMap;

pub(crate) struct DescribeDBParameters;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("DBParameterGroupName")]
    name: String,
    source: Option<String>,
    filters: Vec<Filter>,
    max_records: Option<usize>,
    marker: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Shown {
    pub(crate) parameter_name: &'static str,
    pub(crate) parameter_value: Option<String>,
    description: &'static str,
    source: &'static str,
    apply_type: &'static str,
    data_type: &'static str,
    allowed_values: Option<String>,
    is_modifiable: bool,
    apply_method: ApplyMethod,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) parameters: Vec<Shown>,
    pub(crate) marker: Option<String>,
}

impl Operation for DescribeDBParameters {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx, "pg", &input.name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let name = input.name.to_ascii_lowercase();
        let is_default = engines::majors(cx.tx).iter().any(|m| rules::default_parameter_group(*m) == name);
        let set: BTreeMap<String, String> = match cx.tx.get::<ParameterGroup>(&name) {
            Some(group) => group.parameters.clone(),
            None if is_default => BTreeMap::new(),
            None => return Err(Error::NoParameterGroup(name)),
        };
        filters::passes(&input.filters, |_| None)?;
        let shown = parameters::all().iter().map(|known| show(known, set.get(known.name)));
        let shown = shown.filter(|p| input.source.as_deref().is_none_or(|s| s == p.source));
        let key = |p: &Shown| p.parameter_name.to_ascii_lowercase();
        let page = filters::page(shown, key, input.marker.as_deref(), input.max_records)?;
        Ok(Output { parameters: page.items, marker: page.next })
    }
}

fn show(known: &'static parameters::Parameter, set: Option<&String>) -> Shown {
    let default = Some(known.default.to_owned()).filter(|d| !d.is_empty());
    Shown {
        parameter_name: known.name,
        source: if set.is_some() { "user" } else { "engine-default" },
        parameter_value: set.cloned().or(default),
        description: known.description,
        apply_type: if known.is_static() { "static" } else { "dynamic" },
        data_type: known.data_type(),
        allowed_values: known.allowed(),
        is_modifiable: known.is_modifiable(),
        apply_method: if known.is_static() { ApplyMethod::PendingReboot } else { ApplyMethod::Immediate },
    }
}
