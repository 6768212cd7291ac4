//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_GetTaskProtection.html>

use crate::{
    Error,
    protection::{self, ProtectedTask},
    rules,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct GetTaskProtection;

const MOST_TASKS: usize = 100;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    cluster: String,
    tasks: Vec<String>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    protected_tasks: Vec<ProtectedTask>,
    failures: Vec<rules::Failure>,
}

impl Operation for GetTaskProtection {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        protection::resources(cx, &input.cluster, &input.tasks)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let cluster = rules::cluster(cx.tx, Some(&input.cluster))?;
        rules::check_number("tasks", &input.tasks, MOST_TASKS)?;
        let (mut protected_tasks, mut failures) = (Vec::new(), Vec::new());
        for given in &input.tasks {
            match protection::find(cx, &cluster.name, given) {
                Ok(task) => protected_tasks.push(ProtectedTask::of(cx, &task)),
                Err(failure) => failures.push(failure),
            }
        }
        Ok(Output { protected_tasks, failures })
    }
}
