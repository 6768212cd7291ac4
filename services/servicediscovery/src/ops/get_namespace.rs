//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_GetNamespace.html>

use crate::{Error, rules, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct GetNamespace;

#[derive(Wire)]
pub(crate) struct Input {
    id: String,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) namespace: shapes::NamespaceShape,
}

impl Operation for GetNamespace {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::namespace_arn(cx, &input.id)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = rules::namespace(cx.tx, &input.id)?;
        Ok(Output { namespace: shapes::namespace(cx, &row) })
    }
}
