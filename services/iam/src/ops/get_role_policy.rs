//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html>

use crate::{Error, entity};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{PolicyName, Role, RoleName};

pub(crate) struct GetRolePolicy;

#[derive(Wire)]
pub(crate) struct Input {
    role_name: RoleName,
    policy_name: PolicyName,
}

#[derive(Wire)]
pub(crate) struct Output {
    role_name: RoleName,
    policy_name: PolicyName,
    pub(crate) policy_document: String,
}

impl Operation for GetRolePolicy {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![entity::arn_of::<Role>(cx, &input.role_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let policy_document = entity::inline::<Role>(cx.tx, &input.role_name, &input.policy_name)?;
        Ok(Output { role_name: input.role_name, policy_name: input.policy_name, policy_document })
    }
}
