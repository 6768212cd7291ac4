//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DeleteParameter.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ssm::Parameter;

pub(crate) struct DeleteParameter;

#[derive(Wire)]
pub(crate) struct Input {
    name: String,
}

impl Operation for DeleteParameter {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx, &rules::name_of(cx.tx, &input.name))]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let row = rules::find(cx.tx, &rules::name_of(cx.tx, &input.name))?;
        cx.tx.delete::<Parameter>(&row.name);
        Ok(())
    }
}
