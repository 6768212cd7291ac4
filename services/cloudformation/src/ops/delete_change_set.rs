//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteChangeSet.html>

use crate::{Error, find};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudformation::ChangeSet;

pub(crate) struct DeleteChangeSet;

#[derive(Wire)]
pub(crate) struct Input {
    change_set_name: String,
    stack_name: Option<String>,
}

impl Operation for DeleteChangeSet {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        input.stack_name.as_deref().map(|name| super::stack_arns(cx, name)).unwrap_or_default()
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        // Deleting a change set that does not exist succeeds; its stack must exist.
        match find::change_set(cx.tx, &input.change_set_name, input.stack_name.as_deref()) {
            Ok((stack, found)) => {
                cx.tx.delete::<ChangeSet>(&ChangeSet::key_of(&stack.uuid, &found.name));
            }
            Err(Error::NoChangeSet(_)) => {}
            Err(other) => return Err(other),
        }
        Ok(())
    }
}
