//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoleTags.html>

use crate::{
    Error, entity,
    shapes::{self, TagPage},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{Role, RoleName};

pub(crate) struct ListRoleTags;

#[derive(Wire)]
pub(crate) struct Input {
    role_name: RoleName,
    marker: Option<String>,
    max_items: Option<usize>,
}

impl Operation for ListRoleTags {
    type Input = Input;
    type Output = TagPage;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![entity::arn_of::<Role>(cx, &input.role_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<TagPage, Error> {
        let role = entity::get::<Role>(cx.tx, &input.role_name)?;
        shapes::tag_page(&role.tags, input.marker.as_deref(), input.max_items)
    }
}
