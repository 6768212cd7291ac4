//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListUserPolicies.html>

use super::list_role_policies::{Output, page};
use crate::{Error, entity};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{User, UserName};

pub(crate) struct ListUserPolicies;

#[derive(Wire)]
pub(crate) struct Input {
    user_name: UserName,
    marker: Option<String>,
    max_items: Option<usize>,
}

impl Operation for ListUserPolicies {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![entity::arn_of::<User>(cx, &input.user_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let user = entity::get::<User>(cx.tx, &input.user_name)?;
        page(&user.inline, input.marker.as_deref(), input.max_items)
    }
}
