//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachRolePolicy.html>

use crate::{Error, entity};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{PolicyArn, Role, RoleName};

pub(crate) struct AttachRolePolicy;

#[derive(Wire)]
pub(crate) struct Input {
    role_name: RoleName,
    policy_arn: PolicyArn,
}

impl Operation for AttachRolePolicy {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![entity::arn_of::<Role>(cx, &input.role_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        entity::attach::<Role>(cx, &input.role_name, input.policy_arn)
    }
}
