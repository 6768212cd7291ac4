//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAttachedUserPolicies.html>

use crate::{Error, bearer, paging, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::User;

pub(crate) struct ListAttachedUserPolicies;

#[derive(Wire)]
pub(crate) struct Input {
    user_name: String,
    path_prefix: Option<String>,
    marker: Option<String>,
    max_items: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    attached_policies: Vec<shapes::AttachedPolicy>,
    is_truncated: bool,
    marker: Option<String>,
}

impl Operation for ListAttachedUserPolicies {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![bearer::arn_of::<User>(cx, &input.user_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let user = bearer::get::<User>(cx.tx, &input.user_name)?;
        let prefix = input.path_prefix.as_deref().unwrap_or("/");
        let mut found: Vec<&String> =
            user.attached.iter().filter(|arn| shapes::policy_path(arn).starts_with(prefix)).collect();
        found.sort();
        let cut = paging::cut(found, |arn| (*arn).clone(), input.marker.as_deref(), input.max_items)?;
        Ok(Output {
            attached_policies: cut.items.into_iter().map(|arn| shapes::attached(arn)).collect(),
            is_truncated: cut.is_truncated,
            marker: cut.marker,
        })
    }
}
