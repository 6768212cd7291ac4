//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribePendingMaintenanceActions.html>

use crate::{
    Error,
    filters::{self, Filter},
    maintenance::{self, ResourceActions},
    rules,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::rds::Instance;

pub(crate) struct DescribePendingMaintenanceActions;

#[derive(Wire)]
pub(crate) struct Input {
    resource_identifier: Option<String>,
    filters: Vec<Filter>,
    marker: Option<String>,
    max_records: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pending_maintenance_actions: Vec<ResourceActions>,
    marker: Option<String>,
}

impl Operation for DescribePendingMaintenanceActions {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![input.resource_identifier.clone().unwrap_or_else(|| rules::arn(cx, "db", "*"))]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let rows = match &input.resource_identifier {
            Some(arn) => vec![rules::instance(cx.tx, arn).map_err(|_| Error::NoMaintenance(arn.clone()))?],
            None => cx.tx.scan::<Instance>().collect(),
        };
        let mut found = Vec::new();
        for row in rows {
            let values_of = |name: &str| {
                (name == "db-instance-id").then(|| vec![row.id.clone(), rules::arn(cx, "db", &row.id)])
            };
            if filters::passes(&input.filters, values_of)? {
                found.extend(maintenance::pending(cx, cx.tx, &row));
            }
        }
        let key = |a: &ResourceActions| a.resource_identifier.clone();
        let page = filters::page(found, key, input.marker.as_deref(), input.max_records)?;
        Ok(Output { pending_maintenance_actions: page.items, marker: page.next })
    }
}
