//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServices.html>

use crate::{
    Error,
    choices::{LaunchType, SchedulingStrategy},
    rules,
};
use escale_base::Wire;
use escale_base::paging;
use escale_service::{Cx, Operation};
use escale_tables::ecs::Service;

pub(crate) struct ListServices;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    cluster: Option<String>,
    launch_type: Option<LaunchType>,
    scheduling_strategy: Option<SchedulingStrategy>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    service_arns: Vec<String>,
    next_token: Option<String>,
}

impl Operation for ListServices {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let cluster = rules::cluster(cx.tx, input.cluster.as_deref())?;
        let prefix = format!("{}/", cluster.name);
        // Every service runs REPLICA tasks on Fargate, so another filter matches none.
        let matches_all = input.launch_type.is_none_or(|l| l == LaunchType::Fargate)
            && input.scheduling_strategy.is_none_or(|s| s == SchedulingStrategy::Replica);
        let found = cx.tx.prefix::<Service>(&prefix).filter(|s| s.deleted.is_none() && matches_all);
        let size = input.max_results.unwrap_or(10);
        let page = paging::page(found, |s| s.name.to_string(), input.next_token.as_deref(), size)?;
        let service_arns = page.items.iter().map(|s| rules::service_arn(cx.config, s)).collect();
        Ok(Output { service_arns, next_token: page.next })
    }
}
