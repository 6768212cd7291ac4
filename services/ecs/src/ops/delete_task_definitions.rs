//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteTaskDefinitions.html>

use crate::shapes;
use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_store::Row;
use escale_tables::ecs::{Service, Task, TaskDefinition};

pub(crate) struct DeleteTaskDefinitions;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    task_definitions: Vec<String>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    task_definitions: Vec<shapes::DefinitionShape>,
    failures: Vec<rules::Failure>,
}

impl Operation for DeleteTaskDefinitions {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        input.task_definitions.iter().map(|named| rules::definition_resource(cx, named)).collect()
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let (mut task_definitions, mut failures) = (Vec::new(), Vec::new());
        for given in &input.task_definitions {
            let Some(row) = rules::definition(cx.tx, given) else {
                failures.push(rules::Failure {
                    arn: given.clone(),
                    reason: "The specified task definition does not exist.",
                });
                continue;
            };
            if row.deregistered.is_none() {
                let reason = "The specified task definition is still in ACTIVE status. Please deregister the target \
                              and try again.";
                failures.push(rules::Failure {
                    arn: rules::definition_arn(cx.config, &row.family, row.revision),
                    reason,
                });
                continue;
            }
            // AWS keeps the definition in DELETE_IN_PROGRESS until no task and no service refers to it.
            let mut row = (*row).clone();
            row.delete_requested = Some(cx.now);
            task_definitions.push(shapes::definition(cx.config, &row));
            let is_used = cx.tx.scan::<Task>().any(|t| t.family == row.family && t.revision == row.revision)
                || cx.tx.scan::<Service>().any(|s| {
                    s.deployments.iter().any(|d| d.family == row.family && d.revision == row.revision)
                });
            if is_used {
                cx.tx.put(row)
            } else {
                cx.tx.delete::<TaskDefinition>(&row.key());
            }
        }
        Ok(Output { task_definitions, failures })
    }
}
