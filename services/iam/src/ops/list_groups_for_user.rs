//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListGroupsForUser.html>

use crate::{Error, entity};
use escale_base::{Wire, wire::Value};
use escale_service::{Cx, Operation};
use escale_tables::iam::{User, UserName};

pub(crate) struct ListGroupsForUser;

#[derive(Wire)]
pub(crate) struct Input {
    user_name: UserName,
    marker: Option<String>,
    max_items: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    groups: Vec<Value>,
    is_truncated: bool,
}

impl Operation for ListGroupsForUser {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![entity::arn_of::<User>(cx, &input.user_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        // The list is always empty, because the operation that creates groups is refused.
        entity::get::<User>(cx.tx, &input.user_name)?;
        if let Some(marker) = input.marker {
            return Err(Error::Validation(format!("Invalid Marker: {marker}.")));
        }
        let _ = input.max_items;
        Ok(Output { groups: Vec::new(), is_truncated: false })
    }
}
