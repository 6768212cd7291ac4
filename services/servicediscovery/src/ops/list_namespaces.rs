//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_ListNamespaces.html>

use crate::{
    Error,
    choices::{FilterCondition, NamespaceFilterName},
    filters,
    shapes::{self, NamespaceProperties},
};
use escale_base::{Timestamp, Wire, limits, paging};
use escale_service::{Cx, Operation};
use escale_store::Row;
use escale_tables::servicediscovery::{Namespace, NamespaceId, NamespaceName, NamespaceType};
use std::sync::Arc;

pub(crate) struct ListNamespaces;

#[derive(Wire)]
pub(crate) struct Filter {
    name: NamespaceFilterName,
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
    namespaces: Vec<Summary>,
    next_token: Option<String>,
}

/// As GetNamespace returns it, without the id of the request.
#[derive(Wire)]
struct Summary {
    id: NamespaceId,
    arn: String,
    resource_owner: String,
    name: NamespaceName,
    r#type: NamespaceType,
    description: Option<String>,
    service_count: usize,
    properties: NamespaceProperties,
    create_date: Timestamp,
}

impl Operation for ListNamespaces {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut found: Vec<Arc<Namespace>> = Vec::new();
        for row in cx.tx.scan::<Namespace>() {
            if passes(cx, &row, &input.filters)? {
                found.push(row);
            }
        }
        let size = input.max_results.unwrap_or(limits::PAGE_DEFAULT);
        let page = paging::page(found, |row| row.key(), input.next_token.as_deref(), size)?;
        let namespaces = page.items.iter().map(|row| summary(cx, row)).collect();
        Ok(Output { namespaces, next_token: page.next })
    }
}

fn passes(cx: &Cx<'_>, row: &Namespace, filters: &[Filter]) -> Result<bool, Error> {
    for filter in filters {
        let passes = |value: &str| filters::passes(filter.name, value, filter.condition, &filter.values);
        let is_passed = match filter.name {
            NamespaceFilterName::Type => passes(row.kind().as_str())?,
            NamespaceFilterName::Name | NamespaceFilterName::HttpName => passes(&row.name)?,
            // There is one account.
            NamespaceFilterName::ResourceOwner => {
                filter.values.iter().any(|v| v == "SELF" || *v == cx.config.account)
            }
        };
        if !is_passed {
            return Ok(false);
        }
    }
    Ok(true)
}

fn summary(cx: &Cx<'_>, row: &Namespace) -> Summary {
    let shape = shapes::namespace(cx, row);
    Summary {
        id: shape.id,
        arn: shape.arn,
        resource_owner: shape.resource_owner,
        name: shape.name,
        r#type: shape.r#type,
        description: shape.description,
        service_count: shape.service_count,
        properties: shape.properties,
        create_date: shape.create_date,
    }
}
