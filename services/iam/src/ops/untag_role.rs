//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UntagRole.html>

use crate::{Error, entity};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{Role, RoleName};

pub(crate) struct UntagRole;

#[derive(Wire)]
pub(crate) struct Input {
    role_name: RoleName,
    tag_keys: Vec<String>,
}

impl Operation for UntagRole {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![entity::arn_of::<Role>(cx, &input.role_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        entity::untag::<Role>(cx, &input.role_name, &input.tag_keys)
    }
}
