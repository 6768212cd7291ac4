//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAttachedUserPolicies.html>

use super::list_attached_role_policies::{Output, page};
use crate::{Error, entity};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{User, UserName};

pub(crate) struct ListAttachedUserPolicies;

#[derive(Wire)]
pub(crate) struct Input {
    user_name: UserName,
    path_prefix: Option<String>,
    marker: Option<String>,
    max_items: Option<usize>,
}

impl Operation for ListAttachedUserPolicies {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![entity::arn_of::<User>(cx, &input.user_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let user = entity::get::<User>(cx.tx, &input.user_name)?;
        page(&user.attached, input.path_prefix.as_deref(), input.marker.as_deref(), input.max_items)
    }
}
