//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html>

use crate::status::Known;
use crate::{
    Error,
    choices::{DesiredStatus, LaunchType},
    rules,
};
use escale_base::Wire;
use escale_base::{limits, paging};
use escale_service::{Cx, Operation};
use escale_store::Row;
use escale_tables::ecs::Task;
use std::sync::Arc;

pub(crate) struct ListTasks;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    cluster: Option<String>,
    family: Option<String>,
    started_by: Option<String>,
    service_name: Option<String>,
    desired_status: Option<DesiredStatus>,
    launch_type: Option<LaunchType>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    task_arns: Vec<String>,
    next_token: Option<String>,
}

impl Operation for ListTasks {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let cluster = rules::cluster(cx.tx, input.cluster.as_deref())?;
        let desired = input.desired_status.unwrap_or(DesiredStatus::Running);
        let key = match &input.service_name {
            Some(name) => Some(rules::service(cx.tx, &cluster.name, name)?.key()),
            None => None,
        };
        let wanted = |t: &Arc<Task>| {
            t.cluster == cluster.name
                && input.family.as_ref().is_none_or(|f| *f == t.family)
                && input.started_by.as_ref().is_none_or(|s| t.started_by.as_ref() == Some(s))
                && key.as_ref().is_none_or(|k| t.service.as_ref().is_some_and(|s| s.key == *k))
                && input.launch_type.is_none_or(|l| l == LaunchType::Fargate)
                && Known::of(cx.tx, Arc::clone(t)).desired() == desired
        };
        let found: Vec<Arc<Task>> = cx.tx.scan::<Task>().filter(wanted).collect();
        let size = input.max_results.unwrap_or(limits::PAGE_DEFAULT);
        let page = paging::page(found, |t| t.id.to_string(), input.next_token.as_deref(), size)?;
        let task_arns = page.items.iter().map(|t| rules::task_arn(cx.config, t)).collect();
        Ok(Output { task_arns, next_token: page.next })
    }
}
