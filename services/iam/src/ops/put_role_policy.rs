//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html>

use crate::{Error, entity};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{PolicyName, Role, RoleName};

pub(crate) struct PutRolePolicy;

#[derive(Wire)]
pub(crate) struct Input {
    role_name: RoleName,
    policy_name: PolicyName,
    policy_document: String,
}

impl Operation for PutRolePolicy {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![entity::arn_of::<Role>(cx, &input.role_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        entity::put_inline::<Role>(cx, &input.role_name, input.policy_name, input.policy_document)
    }
}
