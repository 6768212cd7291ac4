//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopTask.html>

use crate::{Error, rules};
use crate::{shapes, status::Known};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ecs::{Stop, StopCause, Task};
use std::sync::Arc;

pub(crate) struct StopTask;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    cluster: Option<String>,
    task: String,
    reason: Option<String>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    task: shapes::TaskShape,
}

impl Operation for StopTask {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        let cluster = rules::cluster_name(input.cluster.as_deref());
        vec![rules::arn(cx.config, format!("task/{cluster}/{}", rules::last_part(&input.task)))]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let cluster = rules::cluster(cx.tx, input.cluster.as_deref())?;
        let task = rules::task(cx.tx, &cluster.name, &input.task).ok_or(Error::NoTask)?;
        // The first reason stays: a second StopTask, or one after the task failed, changes nothing.
        if !Known::of(cx.tx, Arc::clone(&task)).is_stopping() {
            let reason = input.reason.unwrap_or_else(|| "Task stopped by user".into());
            let stop = Stop { at: cx.now, cause: StopCause::Asked, reason };
            cx.tx.update(&task.id, |t: &mut Task| t.stop = Some(stop));
        }
        let task = cx.tx.get::<Task>(&task.id).ok_or(Error::NoTask)?;
        Ok(Output { task: shapes::task(cx.tx, cx.config, task, true) })
    }
}
