//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateRole.html>

use crate::{Error, entity, ops::create_role};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{Role, RoleName};

pub(crate) struct UpdateRole;

#[derive(Wire)]
pub(crate) struct Input {
    role_name: RoleName,
    description: Option<String>,
    max_session_duration: Option<i32>,
}

impl Operation for UpdateRole {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![entity::arn_of::<Role>(cx, &input.role_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        entity::change::<Role, _>(cx, &input.role_name, |role| {
            if let Some(description) = input.description {
                role.description = Some(description);
            }
            if input.max_session_duration.is_some() {
                role.max_session_secs = create_role::session_secs(input.max_session_duration)?;
            }
            Ok(())
        })
    }
}
