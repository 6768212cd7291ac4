//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListInstanceProfilesForRole.html>

use crate::{Error, entity};
use escale_base::{Wire, wire::Value};
use escale_service::{Cx, Operation};
use escale_tables::iam::{Role, RoleName};

pub(crate) struct ListInstanceProfilesForRole;

#[derive(Wire)]
pub(crate) struct Input {
    role_name: RoleName,
    marker: Option<String>,
    max_items: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    instance_profiles: Vec<Value>,
    is_truncated: bool,
}

impl Operation for ListInstanceProfilesForRole {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![entity::arn_of::<Role>(cx, &input.role_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        // The list is always empty, because the operation that creates instance profiles is refused.
        entity::get::<Role>(cx.tx, &input.role_name)?;
        if let Some(marker) = input.marker {
            return Err(Error::Validation(format!("Invalid Marker: {marker}.")));
        }
        let _ = input.max_items;
        Ok(Output { instance_profiles: Vec::new(), is_truncated: false })
    }
}
