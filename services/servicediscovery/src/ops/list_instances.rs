//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_ListInstances.html>

use crate::{Error, rules};
use escale_base::{Wire, limits, paging};
use escale_service::{Cx, Operation};
use escale_tables::servicediscovery::InstanceId;
use std::collections::BTreeMap;

pub(crate) struct ListInstances;

#[derive(Wire)]
pub(crate) struct Input {
    service_id: String,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    resource_owner: String,
    instances: Vec<Summary>,
    next_token: Option<String>,
}

#[derive(Wire)]
struct Summary {
    id: InstanceId,
    attributes: BTreeMap<String, String>,
    created_by_account: String,
}

impl Operation for ListInstances {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::service_arn(cx, &input.service_id)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let service = rules::service(cx.tx, &input.service_id)?;
        let all = rules::instances(cx.tx, &service.id);
        let size = input.max_results.unwrap_or(limits::PAGE_DEFAULT);
        let page = paging::page(all, |row| row.id.to_string(), input.next_token.as_deref(), size)?;
        let summary = |row: &std::sync::Arc<escale_tables::servicediscovery::Instance>| Summary {
            id: row.id.clone(),
            attributes: row.attributes.clone(),
            created_by_account: cx.config.account.clone(),
        };
        let instances = page.items.iter().map(summary).collect();
        Ok(Output { resource_owner: cx.config.account.clone(), instances, next_token: page.next })
    }
}
