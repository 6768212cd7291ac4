//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAttachedRolePolicies.html>

use crate::{Error, entity, paging, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{PolicyArn, Role, RoleName};

pub(crate) struct ListAttachedRolePolicies;

#[derive(Wire)]
pub(crate) struct Input {
    role_name: RoleName,
    path_prefix: Option<String>,
    marker: Option<String>,
    max_items: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) attached_policies: Vec<shapes::AttachedPolicy>,
    pub(crate) is_truncated: bool,
    pub(crate) marker: Option<String>,
}

impl Operation for ListAttachedRolePolicies {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![entity::arn_of::<Role>(cx, &input.role_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let role = entity::get::<Role>(cx.tx, &input.role_name)?;
        page(&role.attached, input.path_prefix.as_deref(), input.marker.as_deref(), input.max_items)
    }
}

/// A page of the policies that are attached to a role or user, in the order of their ARNs.
pub(super) fn page(
    attached: &[PolicyArn],
    path_prefix: Option<&str>,
    marker: Option<&str>,
    max_items: Option<usize>,
) -> Result<Output, Error> {
    let prefix = path_prefix.unwrap_or("/");
    let mut found: Vec<&PolicyArn> =
        attached.iter().filter(|arn| shapes::policy_path(arn).starts_with(prefix)).collect();
    // The row has them in the order of attachment, but pages are cut by ARN.
    found.sort();
    let cut = paging::cut(found, |arn| arn.to_string(), marker, max_items)?;
    Ok(Output {
        attached_policies: cut.items.into_iter().map(shapes::attached).collect(),
        is_truncated: cut.is_truncated,
        marker: cut.marker,
    })
}
