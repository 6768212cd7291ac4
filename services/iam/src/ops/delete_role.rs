//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html>

use crate::{Error, entity};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{Role, RoleName};

pub(crate) struct DeleteRole;

#[derive(Wire)]
pub(crate) struct Input {
    role_name: RoleName,
}

impl Operation for DeleteRole {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![entity::arn_of::<Role>(cx, &input.role_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        // Changes nothing: `change` also refuses service-linked roles.
        entity::change::<Role, _>(cx, &input.role_name, |role| entity::must_have_no_policies(role))?;
        // The role's sessions end with it, because they name its id.
        cx.tx.delete::<Role>(&input.role_name);
        Ok(())
    }
}
