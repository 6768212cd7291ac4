//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRolePolicy.html>

use crate::{Error, entity};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{PolicyName, Role, RoleName};

pub(crate) struct DeleteRolePolicy;

#[derive(Wire)]
pub(crate) struct Input {
    role_name: RoleName,
    policy_name: PolicyName,
}

impl Operation for DeleteRolePolicy {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![entity::arn_of::<Role>(cx, &input.role_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        entity::delete_inline::<Role>(cx, &input.role_name, &input.policy_name)
    }
}
