//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateTaskProtection.html>

use crate::{
    Error,
    protection::{self, ProtectedTask},
    rules,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ecs::Task;

pub(crate) struct UpdateTaskProtection;

const MOST_TASKS: usize = 10;
const DEFAULT_MINUTES: i64 = 120;
const MOST_MINUTES: i64 = 2_880;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    cluster: String,
    tasks: Vec<String>,
    protection_enabled: bool,
    expires_in_minutes: Option<i64>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    protected_tasks: Vec<ProtectedTask>,
    failures: Vec<rules::Failure>,
}

impl Operation for UpdateTaskProtection {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        protection::resources(cx, &input.cluster, &input.tasks)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let cluster = rules::cluster(cx.tx, Some(&input.cluster))?;
        rules::check_number("tasks", &input.tasks, MOST_TASKS)?;
        let minutes = input.expires_in_minutes.unwrap_or(DEFAULT_MINUTES);
        if !(1..=MOST_MINUTES).contains(&minutes) {
            return Err(Error::Invalid(format!(
                "expiresInMinutes must be between 1 and {MOST_MINUTES}; it is {minutes}."
            )));
        }
        let until = input.protection_enabled.then(|| cx.now.plus_ms(minutes * 60_000));
        let (mut protected_tasks, mut failures) = (Vec::new(), Vec::new());
        for given in &input.tasks {
            match protection::find(cx, &cluster.name, given) {
                Ok(task) => {
                    let mut task = (*task).clone();
                    task.protected_until = until;
                    protected_tasks.push(ProtectedTask::of(cx, &task));
                    cx.tx.put::<Task>(task);
                }
                Err(failure) => failures.push(failure),
            }
        }
        Ok(Output { protected_tasks, failures })
    }
}
