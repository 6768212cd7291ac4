//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListUsers.html>

use crate::{Error, entity, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::User;

pub(crate) struct ListUsers;

#[derive(Wire)]
pub(crate) struct Input {
    path_prefix: Option<String>,
    marker: Option<String>,
    max_items: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    users: Vec<shapes::UserShape>,
    is_truncated: bool,
    marker: Option<String>,
}

impl Operation for ListUsers {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let (path, marker) = (input.path_prefix.as_deref(), input.marker.as_deref());
        let cut = entity::list::<User>(cx.tx, path, marker, input.max_items)?;
        let shape = |row| shapes::UserShape { tags: None, ..shapes::user(row, cx.config) };
        Ok(Output {
            users: cut.items.iter().map(|row| shape(row)).collect(),
            is_truncated: cut.is_truncated,
            marker: cut.marker,
        })
    }
}
