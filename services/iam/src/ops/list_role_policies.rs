//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRolePolicies.html>

use crate::{Error, entity, paging};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{PolicyName, Role, RoleName};
use std::collections::BTreeMap;

pub(crate) struct ListRolePolicies;

#[derive(Wire)]
pub(crate) struct Input {
    role_name: RoleName,
    marker: Option<String>,
    max_items: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) policy_names: Vec<PolicyName>,
    pub(crate) is_truncated: bool,
    pub(crate) marker: Option<String>,
}

impl Operation for ListRolePolicies {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![entity::arn_of::<Role>(cx, &input.role_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let role = entity::get::<Role>(cx.tx, &input.role_name)?;
        page(&role.inline, input.marker.as_deref(), input.max_items)
    }
}

/// A page of the names of the inline policies of a role or user.
pub(super) fn page(
    inline: &BTreeMap<PolicyName, String>,
    marker: Option<&str>,
    max_items: Option<usize>,
) -> Result<Output, Error> {
    let cut = paging::cut(inline.keys().cloned(), PolicyName::to_string, marker, max_items)?;
    Ok(Output { policy_names: cut.items, is_truncated: cut.is_truncated, marker: cut.marker })
}
