//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagRole.html>

use crate::{Error, entity};
use escale_base::{Tag, Wire};
use escale_service::{Cx, Operation};
use escale_tables::iam::{Role, RoleName};

pub(crate) struct TagRole;

#[derive(Wire)]
pub(crate) struct Input {
    role_name: RoleName,
    tags: Vec<Tag>,
}

impl Operation for TagRole {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![entity::arn_of::<Role>(cx, &input.role_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        entity::tag::<Role>(cx, &input.role_name, input.tags)
    }
}
