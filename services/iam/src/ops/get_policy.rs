//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetPolicy.html>

use crate::{Error, aws_managed, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::PolicyArn;

pub(crate) struct GetPolicy;

#[derive(Wire)]
pub(crate) struct Input {
    policy_arn: PolicyArn,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) policy: shapes::PolicyShape,
}

impl Operation for GetPolicy {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.policy_arn.to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        if let Some(managed) = aws_managed::find(&input.policy_arn) {
            return Ok(Output { policy: shapes::aws_policy(managed, cx.tx) });
        }
        let policy = super::policy(cx, &input.policy_arn)?;
        Ok(Output { policy: shapes::policy(&policy, cx.tx) })
    }
}
