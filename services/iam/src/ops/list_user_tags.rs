//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListUserTags.html>

use crate::{
    Error, entity,
    shapes::{self, TagPage},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{User, UserName};

pub(crate) struct ListUserTags;

#[derive(Wire)]
pub(crate) struct Input {
    user_name: UserName,
    marker: Option<String>,
    max_items: Option<usize>,
}

impl Operation for ListUserTags {
    type Input = Input;
    type Output = TagPage;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![entity::arn_of::<User>(cx, &input.user_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<TagPage, Error> {
        let user = entity::get::<User>(cx.tx, &input.user_name)?;
        shapes::tag_page(&user.tags, input.marker.as_deref(), input.max_items)
    }
}
