//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html>

use crate::{Error, entity, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{Role, RoleName};

pub(crate) struct GetRole;

#[derive(Wire)]
pub(crate) struct Input {
    role_name: RoleName,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) role: shapes::RoleShape,
}

impl Operation for GetRole {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![entity::arn_of::<Role>(cx, &input.role_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let role = entity::get::<Role>(cx.tx, &input.role_name)?;
        Ok(Output { role: shapes::role(&role, cx.config) })
    }
}
