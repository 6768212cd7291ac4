//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBParameterGroup.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::rds::{Instance, ParameterGroup};

pub(crate) struct DeleteDBParameterGroup;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("DBParameterGroupName")]
    name: String,
}

impl Operation for DeleteDBParameterGroup {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx, "pg", &input.name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let name = input.name.to_ascii_lowercase();
        if name.starts_with("default.") {
            return Err(Error::ParameterGroupState("Default DBParameterGroup cannot be deleted.".into()));
        }
        if let Some(instance) = cx.tx.scan::<Instance>().find(|i| i.parameter_group == name) {
            let what = format!(
                "One or more database instances are still members of this parameter group {name}: {}",
                instance.id
            );
            return Err(Error::ParameterGroupState(what));
        }
        if cx.tx.delete::<ParameterGroup>(&name) { Ok(()) } else { Err(Error::NoParameterGroup(name)) }
    }
}
