//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html>

use crate::{Error, entity, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::Role;

pub(crate) struct ListRoles;

#[derive(Wire)]
pub(crate) struct Input {
    path_prefix: Option<String>,
    marker: Option<String>,
    max_items: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    roles: Vec<shapes::RoleShape>,
    is_truncated: bool,
    marker: Option<String>,
}

impl Operation for ListRoles {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let (path, marker) = (input.path_prefix.as_deref(), input.marker.as_deref());
        let cut = entity::list::<Role>(cx.tx, path, marker, input.max_items)?;
        let shape = |row| shapes::RoleShape { tags: None, ..shapes::role(row, cx.config) };
        Ok(Output {
            roles: cut.items.iter().map(|row| shape(row)).collect(),
            is_truncated: cut.is_truncated,
            marker: cut.marker,
        })
    }
}
