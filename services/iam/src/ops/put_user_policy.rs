//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutUserPolicy.html>

use crate::{Error, entity};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{PolicyName, User, UserName};

pub(crate) struct PutUserPolicy;

#[derive(Wire)]
pub(crate) struct Input {
    user_name: UserName,
    policy_name: PolicyName,
    policy_document: String,
}

impl Operation for PutUserPolicy {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![entity::arn_of::<User>(cx, &input.user_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        entity::put_inline::<User>(cx, &input.user_name, input.policy_name, input.policy_document)
    }
}
