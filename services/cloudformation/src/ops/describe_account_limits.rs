//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeAccountLimits.html>

use crate::Error;
use escale_base::{Wire, limits::template as limits};
use escale_service::{Cx, Operation};

pub(crate) struct DescribeAccountLimits;

#[derive(Wire)]
pub(crate) struct Input {
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    account_limits: Vec<Limit>,
}

#[derive(Wire)]
pub(crate) struct Limit {
    name: &'static str,
    value: usize,
}

impl Operation for DescribeAccountLimits {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(_: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        super::only_page(input.next_token.as_deref())?;
        // The number of stacks has no limit here, so StackLimit is not listed.
        let account_limits = vec![Limit { name: "StackOutputsLimit", value: limits::OUTPUTS }];
        Ok(Output { account_limits })
    }
}
