//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBSnapshots.html>

use crate::{
    Error,
    filters::{self, Filter},
    rules, shapes,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::rds::Snapshot;

pub(crate) struct DescribeDBSnapshots;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("DBInstanceIdentifier")]
    instance: Option<String>,
    #[wire("DBSnapshotIdentifier")]
    id: Option<String>,
    snapshot_type: Option<String>,
    filters: Vec<Filter>,
    max_records: Option<usize>,
    marker: Option<String>,
    include_shared: Option<bool>,
    include_public: Option<bool>,
    dbi_resource_id: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    marker: Option<String>,
    #[wire("DBSnapshots")]
    db_snapshots: Vec<shapes::SnapshotShape>,
}

impl Operation for DescribeDBSnapshots {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        let any = |id: &Option<String>| id.clone().unwrap_or_else(|| "*".into());
        vec![rules::arn(cx, "snapshot", &any(&input.id)), rules::arn(cx, "db", &any(&input.instance))]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        // These include snapshots of other accounts, but there is only one account.
        let _ = (input.include_shared, input.include_public);
        let rows = match input.id.as_deref().filter(|id| !id.is_empty()) {
            Some(id) => vec![rules::snapshot(cx.tx, id)?],
            None => cx.tx.scan::<Snapshot>().collect(),
        };
        let instance = input.instance.map(|i| i.rsplit(':').next().unwrap_or_default().to_ascii_lowercase());
        let mut found = Vec::new();
        for row in rows {
            let values_of = |name: &str| match name {
                "db-instance-id" => Some(vec![row.instance.clone()]),
                "db-snapshot-id" => Some(vec![row.id.clone()]),
                "dbi-resource-id" => Some(vec![row.resource_id.clone()]),
                "snapshot-type" => Some(vec![row.kind.to_string()]),
                "engine" => Some(vec!["postgres".to_owned()]),
                _ => None,
            };
            let named = instance.as_ref().is_none_or(|i| *i == row.instance)
                && input.snapshot_type.as_ref().is_none_or(|t| t == row.kind.as_str())
                && input.dbi_resource_id.as_ref().is_none_or(|r| *r == row.resource_id);
            if named && filters::passes(&input.filters, values_of)? {
                found.push(row);
            }
        }
        let page = filters::page(found, |r| r.id.clone(), input.marker.as_deref(), input.max_records)?;
        let db_snapshots = page.items.iter().map(|row| shapes::snapshot(cx, row)).collect();
        Ok(Output { marker: page.next, db_snapshots })
    }
}
