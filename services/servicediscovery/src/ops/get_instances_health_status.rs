//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_GetInstancesHealthStatus.html>

use crate::{Error, choices::HealthStatus, rules, status};
use escale_base::{Wire, limits, paging};
use escale_service::{Cx, Operation};
use escale_tables::servicediscovery::InstanceId;
use std::collections::BTreeMap;

pub(crate) struct GetInstancesHealthStatus;

#[derive(Wire)]
pub(crate) struct Input {
    service_id: String,
    instances: Vec<InstanceId>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    status: BTreeMap<String, HealthStatus>,
    next_token: Option<String>,
}

impl Operation for GetInstancesHealthStatus {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::service_arn(cx, &input.service_id)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let service = rules::service(cx.tx, &input.service_id)?;
        let rows = if input.instances.is_empty() {
            rules::instances(cx.tx, &service.id)
        } else {
            let find = |id| rules::instance(cx.tx, &service.id, id);
            let mut rows = input.instances.iter().map(find).collect::<Result<Vec<_>, _>>()?;
            rows.sort_by(|a, b| a.id.cmp(&b.id));
            rows
        };
        let size = input.max_results.unwrap_or(limits::PAGE_DEFAULT);
        let page = paging::page(rows, |row| row.id.to_string(), input.next_token.as_deref(), size)?;
        let status =
            page.items.iter().map(|row| (row.id.to_string(), status::health(&service, row))).collect();
        Ok(Output { status, next_token: page.next })
    }
}
