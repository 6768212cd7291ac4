//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBInstances.html>

use crate::{
    Error,
    filters::{self, Filter},
    rules, shapes,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::rds::Instance;

pub(crate) struct DescribeDBInstances;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("DBInstanceIdentifier")]
    id: Option<String>,
    filters: Vec<Filter>,
    max_records: Option<usize>,
    marker: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    marker: Option<String>,
    #[wire("DBInstances")]
    pub(crate) db_instances: Vec<shapes::InstanceShape>,
}

impl Operation for DescribeDBInstances {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        rules::instance_arn(cx, input.id.as_deref().unwrap_or("*"))
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let rows = match input.id.as_deref().filter(|id| !id.is_empty()) {
            Some(id) => vec![rules::instance(cx.tx, id)?],
            None => cx.tx.scan::<Instance>().collect(),
        };
        let mut found = Vec::new();
        for row in rows {
            let arn = rules::arn(cx, "db", &row.id);
            let values_of = |name: &str| match name {
                "db-instance-id" => Some(vec![row.id.clone(), arn.clone()]),
                "dbi-resource-id" => Some(vec![row.resource_id.clone()]),
                "engine" => Some(vec!["postgres".to_owned()]),
                "db-cluster-id" | "domain" => Some(vec![]),
                _ => None,
            };
            if filters::passes(&input.filters, values_of)? {
                found.push(row);
            }
        }
        let page = filters::page(found, |r| r.id.clone(), input.marker.as_deref(), input.max_records)?;
        let db_instances = page.items.iter().map(|row| shapes::instance(cx, row)).collect();
        Ok(Output { marker: page.next, db_instances })
    }
}
