//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAssumeRolePolicy.html>

use crate::{Error, entity, ops::create_role};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{Role, RoleName};

pub(crate) struct UpdateAssumeRolePolicy;

#[derive(Wire)]
pub(crate) struct Input {
    role_name: RoleName,
    policy_document: String,
}

impl Operation for UpdateAssumeRolePolicy {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![entity::arn_of::<Role>(cx, &input.role_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        create_role::check_trust(&input.policy_document)?;
        entity::change::<Role, _>(cx, &input.role_name, |role| {
            role.trust = input.policy_document;
            Ok(())
        })
    }
}
