//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html>

use crate::{Error, error::Kind, filters::Filter};
use escale_base::{Wire, wire::Value};
use escale_service::{Cx, Operation};

/// Always returns an empty list: Escale runs tasks and databases, but no instances.
pub(crate) struct DescribeInstances;

#[derive(Wire)]
pub(crate) struct Input {
    instance_ids: Vec<String>,
    filters: Vec<Filter>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    reservations: Vec<Value>,
}

impl Operation for DescribeInstances {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(_cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        match input.instance_ids.into_iter().next() {
            Some(id) => Err(Error::NotFound(Kind::Instance, id)),
            None => Ok(Output { reservations: Vec::new() }),
        }
    }
}
