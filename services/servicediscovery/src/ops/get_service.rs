//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_GetService.html>

use crate::{Error, rules, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct GetService;

#[derive(Wire)]
pub(crate) struct Input {
    id: String,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) service: shapes::ServiceShape,
}

impl Operation for GetService {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::service_arn(cx, &input.id)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = rules::service(cx.tx, &input.id)?;
        Ok(Output { service: shapes::service(cx, &row) })
    }
}
