//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_ListServices.html>

use crate::{
    Error,
    choices::{FilterCondition, ServiceFilterName},
    filters, rules,
    shapes::{self, DnsConfigShape, HealthCheckCustomConfig},
};
use escale_base::{Timestamp, Wire, limits, paging};
use escale_service::{Cx, Operation};
use escale_store::Row;
use escale_tables::servicediscovery::{
    DiscoveryService, DiscoveryServiceId, DiscoveryServiceName, ServiceType,
};
use std::sync::Arc;

pub(crate) struct ListServices;

#[derive(Wire)]
pub(crate) struct Filter {
    name: ServiceFilterName,
    values: Vec<String>,
    condition: Option<FilterCondition>,
}

#[derive(Wire)]
pub(crate) struct Input {
    next_token: Option<String>,
    max_results: Option<usize>,
    filters: Vec<Filter>,
}

#[derive(Wire)]
pub(crate) struct Output {
    services: Vec<Summary>,
    next_token: Option<String>,
}

#[derive(Wire)]
struct Summary {
    id: DiscoveryServiceId,
    arn: String,
    resource_owner: String,
    name: DiscoveryServiceName,
    r#type: ServiceType,
    description: Option<String>,
    instance_count: usize,
    dns_config: Option<DnsConfigShape>,
    health_check_custom_config: Option<HealthCheckCustomConfig>,
    create_date: Timestamp,
    created_by_account: String,
}

impl Operation for ListServices {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut found: Vec<Arc<DiscoveryService>> = Vec::new();
        for row in cx.tx.scan::<DiscoveryService>() {
            if passes(cx, &row, &input.filters)? {
                found.push(row);
            }
        }
        let size = input.max_results.unwrap_or(limits::PAGE_DEFAULT);
        let page = paging::page(found, |row| row.key(), input.next_token.as_deref(), size)?;
        let services = page.items.iter().map(|row| summary(cx, row)).collect();
        Ok(Output { services, next_token: page.next })
    }
}

fn passes(cx: &Cx<'_>, row: &DiscoveryService, filters: &[Filter]) -> Result<bool, Error> {
    for filter in filters {
        let is_passed = match filter.name {
            ServiceFilterName::NamespaceId => {
                let values: Vec<String> = filter.values.iter().map(|v| rules::id_of(v).to_owned()).collect();
                filters::passes(filter.name, &row.namespace, filter.condition, &values)?
            }
            // There is one account.
            ServiceFilterName::ResourceOwner => {
                filter.values.iter().any(|v| v == "SELF" || *v == cx.config.account)
            }
        };
        if !is_passed {
            return Ok(false);
        }
    }
    Ok(true)
}

fn summary(cx: &Cx<'_>, row: &DiscoveryService) -> Summary {
    let shape = shapes::service(cx, row);
    Summary {
        id: shape.id,
        arn: shape.arn,
        resource_owner: shape.resource_owner,
        name: shape.name,
        r#type: shape.r#type,
        description: shape.description,
        instance_count: shape.instance_count,
        dns_config: shape.dns_config,
        health_check_custom_config: shape.health_check_custom_config,
        create_date: shape.create_date,
        created_by_account: shape.created_by_account,
    }
}
