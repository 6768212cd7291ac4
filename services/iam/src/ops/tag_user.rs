//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagUser.html>

use crate::{Error, entity};
use escale_base::{Tag, Wire};
use escale_service::{Cx, Operation};
use escale_tables::iam::{User, UserName};

pub(crate) struct TagUser;

#[derive(Wire)]
pub(crate) struct Input {
    user_name: UserName,
    tags: Vec<Tag>,
}

impl Operation for TagUser {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![entity::arn_of::<User>(cx, &input.user_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        entity::tag::<User>(cx, &input.user_name, input.tags)
    }
}
