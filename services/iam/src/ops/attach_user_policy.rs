//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachUserPolicy.html>

use crate::{Error, entity};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{PolicyArn, User, UserName};

pub(crate) struct AttachUserPolicy;

#[derive(Wire)]
pub(crate) struct Input {
    user_name: UserName,
    policy_arn: PolicyArn,
}

impl Operation for AttachUserPolicy {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![entity::arn_of::<User>(cx, &input.user_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        entity::attach::<User>(cx, &input.user_name, input.policy_arn)
    }
}
