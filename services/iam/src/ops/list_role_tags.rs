//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoleTags.html>

use crate::{Error, bearer, paging};
use escale_base::{Tag, Wire};
use escale_service::{Cx, Operation};
use escale_tables::iam::Role;

pub(crate) struct ListRoleTags;

#[derive(Wire)]
pub(crate) struct Input {
    role_name: String,
    marker: Option<String>,
    max_items: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    tags: Vec<Tag>,
    is_truncated: bool,
    marker: Option<String>,
}

impl Operation for ListRoleTags {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![bearer::arn_of::<Role>(cx, &input.role_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let role = bearer::get::<Role>(cx.tx, &input.role_name)?;
        let mut tags = role.tags.clone();
        tags.sort();
        let cut = paging::cut(tags, |t| t.key.clone(), input.marker.as_deref(), input.max_items)?;
        Ok(Output { tags: cut.items, is_truncated: cut.is_truncated, marker: cut.marker })
    }
}
