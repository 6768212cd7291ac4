//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterTaskDefinition.html>

use crate::shapes;
use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_store::Row;
use escale_tables::ecs::TaskDefinition;

pub(crate) struct DeregisterTaskDefinition;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    task_definition: String,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    task_definition: shapes::DefinitionShape,
}

impl Operation for DeregisterTaskDefinition {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        if !rules::last_part(&input.task_definition).contains(':') {
            return Err(Error::Client(
                "The revision is missing. Name the task definition as family:revision.".into(),
            ));
        }
        let row = rules::definition(cx.tx, &input.task_definition).ok_or(Error::NoDefinition)?;
        let now = cx.now;
        let row = cx.tx.update(&row.key(), |d: &mut TaskDefinition| {
            d.deregistered.get_or_insert(now);
            d.clone()
        });
        let row = row.ok_or(Error::NoDefinition)?;
        Ok(Output { task_definition: shapes::definition(cx.config, &row) })
    }
}
