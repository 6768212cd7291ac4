//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListUserPolicies.html>

use crate::{
    Error,
    bearer,
    paging,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::User;

pub(crate) struct ListUserPolicies;

#[derive(Wire)]
pub(crate) struct Input {
    user_name: String,
    marker: Option<String>,
    max_items: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    policy_names: Vec<String>,
    is_truncated: bool,
    marker: Option<String>,
}

impl Operation for ListUserPolicies {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![bearer::arn_of::<User>(cx, &input.user_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let user = bearer::get::<User>(cx.tx, &input.user_name)?;
        let names = user.inline.keys().cloned();
        let cut = paging::cut(names, String::clone, input.marker.as_deref(), input.max_items)?;
        Ok(Output { policy_names: cut.items, is_truncated: cut.is_truncated, marker: cut.marker })
    }
}
