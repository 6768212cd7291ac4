//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UntagUser.html>

use crate::{Error, entity};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{User, UserName};

pub(crate) struct UntagUser;

#[derive(Wire)]
pub(crate) struct Input {
    user_name: UserName,
    tag_keys: Vec<String>,
}

impl Operation for UntagUser {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![entity::arn_of::<User>(cx, &input.user_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        entity::untag::<User>(cx, &input.user_name, &input.tag_keys)
    }
}
