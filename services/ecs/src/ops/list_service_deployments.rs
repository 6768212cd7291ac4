//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServiceDeployments.html>

use crate::{
    Error,
    choices::ServiceDeploymentStatus,
    deployment_shapes::{self, BriefShape},
    history, rules,
};
use escale_base::{Timestamp, Wire, limits, paging};
use escale_service::{Cx, Operation};
use escale_store::Row;
use escale_tables::ecs::ServiceDeployment;

pub(crate) struct ListServiceDeployments;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    service: String,
    cluster: Option<String>,
    status: Vec<ServiceDeploymentStatus>,
    created_at: Option<CreatedAt>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
#[wire(camelCase)]
struct CreatedAt {
    before: Option<Timestamp>,
    after: Option<Timestamp>,
}

impl CreatedAt {
    fn has(&self, at: Timestamp) -> bool {
        self.before.is_none_or(|before| at < before) && self.after.is_none_or(|after| at > after)
    }
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    service_deployments: Vec<BriefShape>,
    next_token: Option<String>,
}

impl Operation for ListServiceDeployments {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        let cluster = rules::cluster_name(input.cluster.as_deref());
        vec![rules::arn(cx.config, format!("service/{cluster}/{}", rules::last_part(&input.service)))]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let cluster = rules::cluster(cx.tx, input.cluster.as_deref())?;
        let service = rules::service(cx.tx, &cluster.name, &input.service)?;
        let is_wanted = |row: &ServiceDeployment| {
            deployment_shapes::has_status(row, &input.status)
                && input.created_at.as_ref().is_none_or(|range| range.has(row.created))
        };
        let mut found = history::of(cx.tx, &service.key());
        found.retain(|row| is_wanted(row));
        // Pages are sorted by their keys: the newest first.
        let order =
            |row: &std::sync::Arc<ServiceDeployment>| format!("{:020}/{}", i64::MAX - row.created.0, row.id);
        let size = input.max_results.unwrap_or(limits::PAGE_DEFAULT);
        let page = paging::page(found, order, input.next_token.as_deref(), size)?;
        let service_deployments =
            page.items.iter().map(|row| deployment_shapes::brief(cx.config, row)).collect();
        Ok(Output { service_deployments, next_token: page.next })
    }
}
