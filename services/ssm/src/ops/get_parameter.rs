//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html>

use crate::{Error, rules, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct GetParameter;

#[derive(Wire)]
pub(crate) struct Input {
    name: String,
    with_decryption: Option<bool>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) parameter: shapes::ParameterShape,
}

impl Operation for GetParameter {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn_of_selected(cx, &input.name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let (row, version, selector) = rules::select(cx.tx, &input.name)?;
        let decrypt = input.with_decryption == Some(true);
        Ok(Output { parameter: shapes::parameter(cx, &row, &version, selector, decrypt) })
    }
}
