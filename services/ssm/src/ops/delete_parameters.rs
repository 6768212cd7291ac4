//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DeleteParameters.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ssm::{Parameter, ParameterName};

pub(crate) struct DeleteParameters;

#[derive(Wire)]
pub(crate) struct Input {
    names: Vec<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    deleted_parameters: Vec<ParameterName>,
    invalid_parameters: Vec<ParameterName>,
}

impl Operation for DeleteParameters {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        input.names.iter().map(|n| rules::arn(cx, &rules::name_of(cx.tx, n))).collect()
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let named: Vec<ParameterName> = input.names.iter().map(|n| rules::name_of(cx.tx, n)).collect();
        let (deleted_parameters, invalid_parameters) =
            named.into_iter().partition(|name| cx.tx.delete::<Parameter>(name));
        Ok(Output { deleted_parameters, invalid_parameters })
    }
}
