//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html>

use crate::{Error, bearer};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::Role;

pub(crate) struct DeleteRole;

#[derive(Wire)]
pub(crate) struct Input {
    role_name: String,
}

impl Operation for DeleteRole {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![bearer::arn_of::<Role>(cx, &input.role_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        bearer::change::<Role, _>(cx, &input.role_name, |role| bearer::must_be_bare(role))?;
        // Its sessions carry its id and end with it.
        cx.tx.delete::<Role>(&input.role_name);
        Ok(())
    }
}
