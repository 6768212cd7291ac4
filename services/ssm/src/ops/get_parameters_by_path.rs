//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html>

use crate::{
    Error,
    filters::{self, Filter},
    rules, shapes,
};
use escale_base::{Wire, paging};
use escale_service::{Cx, Operation};
use escale_tables::ssm::Parameter;

pub(crate) struct GetParametersByPath;

#[derive(Wire)]
pub(crate) struct Input {
    path: String,
    recursive: Option<bool>,
    parameter_filters: Vec<Filter>,
    with_decryption: Option<bool>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    parameters: Vec<shapes::ParameterShape>,
    next_token: Option<String>,
}

impl Operation for GetParametersByPath {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx, &input.path)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        if !input.path.starts_with('/') {
            let what = format!("The path '{}' must begin with a forward slash.", input.path);
            return Err(Error::Validation(what));
        }
        rules::check_not_public(&input.path)?;
        let recursive = input.recursive == Some(true);
        let mut found = Vec::new();
        for row in cx.tx.scan::<Parameter>() {
            if filters::below(&row.name, &input.path, recursive)
                && filters::passes(&row, &input.parameter_filters)?
            {
                found.push(row);
            }
        }
        let size = input.max_results.unwrap_or(10);
        let page = paging::page(found, |r| r.name.to_string(), input.next_token.as_deref(), size)?;
        let decrypt = input.with_decryption == Some(true);
        let shown = page.items.iter().filter_map(|row| {
            row.versions.last().map(|version| shapes::parameter(cx, row, version, None, decrypt))
        });
        Ok(Output { parameters: shown.collect(), next_token: page.next })
    }
}
