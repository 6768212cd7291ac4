//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ListInvalidations.html>

use crate::{
    Error,
    rules::{self, List, MarkedList},
    shapes,
};
use escale_base::{Timestamp, Wire};
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{DistributionId, Invalidation, InvalidationId};
use std::sync::Arc;

pub(crate) struct ListInvalidations;

#[derive(Wire)]
pub(crate) struct Input {
    distribution_id: DistributionId,
    marker: Option<String>,
    max_items: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    invalidation_list: MarkedList<Summary>,
}

#[derive(Wire)]
pub(crate) struct Summary {
    id: InvalidationId,
    create_time: Timestamp,
    status: &'static str,
}

impl Operation for ListInvalidations {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        rules::distribution(cx, &input.distribution_id)?;
        let (id, max) = (&input.distribution_id, input.max_items.as_deref());
        let own = |i: &Arc<Invalidation>| i.distribution == *id;
        // Newest first: paging needs keys that grow along the list.
        let key = |i: &Arc<Invalidation>| format!("{:020}/{}", i64::MAX - i.created.0, i.id);
        let mut all: Vec<_> = cx.tx.scan::<Invalidation>().filter(own).collect();
        all.sort_by_cached_key(key);
        let page = rules::page_of(all, key, input.marker.as_deref(), max)?;
        let summary = |i: &Arc<Invalidation>| Summary {
            id: i.id.clone(),
            create_time: i.created,
            status: shapes::invalidation_status(cx.tx, i),
        };
        Ok(Output { invalidation_list: List::of(page, max, summary)?.marked(input.marker) })
    }
}
