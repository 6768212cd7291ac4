//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html>

use crate::{Error, rules, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct GetParameters;

#[derive(Wire)]
pub(crate) struct Input {
    names: Vec<String>,
    with_decryption: Option<bool>,
}

#[derive(Wire)]
pub(crate) struct Output {
    parameters: Vec<shapes::ParameterShape>,
    invalid_parameters: Vec<String>,
}

impl Operation for GetParameters {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        input.names.iter().map(|n| rules::arn_of_selected(cx, n)).collect()
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let decrypt = input.with_decryption == Some(true);
        let mut output = Output { parameters: vec![], invalid_parameters: vec![] };
        for name in input.names {
            match rules::select(cx.tx, &name) {
                Ok((row, version, selector)) => {
                    output.parameters.push(shapes::parameter(cx, &row, &version, selector, decrypt));
                }
                // As on AWS, unknown names do not fail the request.
                Err(Error::NotFound(_) | Error::NoVersion(..)) => output.invalid_parameters.push(name),
                Err(other) => return Err(other),
            }
        }
        Ok(output)
    }
}
