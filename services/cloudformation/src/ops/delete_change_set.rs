//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteChangeSet.html>

use crate::{Error, find, nested::change_sets};
use escale_base::Wire;
use escale_service::{Cx, Operation};

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
            Ok((_, found)) => {
                if let Some(above) = &found.above {
                    return Err(Error::invalid(format!(
                        "ChangeSet [{}] belongs to a nested stack: delete the change set of its root, {}",
                        found.arn, above.root
                    )));
                }
                change_sets::discard(cx.tx, &found);
            }
            Err(Error::NoChangeSet(_)) => {}
            Err(other) => return Err(other),
        }
        Ok(())
    }
}
