//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListHealthChecks.html>

use crate::{Error, rules, shapes};
use escale_base::{Wire, limits};
use escale_service::{Cx, Operation};
use escale_tables::route53::{HealthCheck, HealthCheckId};

pub(crate) struct ListHealthChecks;

#[derive(Wire)]
pub(crate) struct Input {
    marker: Option<HealthCheckId>,
    max_items: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    health_checks: Vec<shapes::HealthCheckShape>,
    marker: HealthCheckId,
    is_truncated: bool,
    next_marker: Option<HealthCheckId>,
    max_items: String,
}

impl Operation for ListHealthChecks {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let size = rules::max_items(input.max_items.as_deref(), limits::dns::ZONES_PAGE)?;
        let marker = input.marker.unwrap_or_default();
        let rows = cx.tx.scan::<HealthCheck>().filter(|check| check.id >= marker);
        let (rows, next) = rules::page(rows, size);
        Ok(Output {
            health_checks: rows.iter().map(|row| shapes::health_check(row)).collect(),
            marker,
            is_truncated: next.is_some(),
            next_marker: next.map(|row| row.id.clone()),
            max_items: size.to_string(),
        })
    }
}
