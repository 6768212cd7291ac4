//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetUserPolicy.html>

use crate::{Error, entity};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{PolicyName, User, UserName};

pub(crate) struct GetUserPolicy;

#[derive(Wire)]
pub(crate) struct Input {
    user_name: UserName,
    policy_name: PolicyName,
}

#[derive(Wire)]
pub(crate) struct Output {
    user_name: UserName,
    policy_name: PolicyName,
    pub(crate) policy_document: String,
}

impl Operation for GetUserPolicy {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![entity::arn_of::<User>(cx, &input.user_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let policy_document = entity::inline::<User>(cx.tx, &input.user_name, &input.policy_name)?;
        Ok(Output { user_name: input.user_name, policy_name: input.policy_name, policy_document })
    }
}
