//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ListPublicKeys.html>

use crate::{Error, rules};
use escale_base::{Timestamp, Wire};
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::PublicKey;

pub(crate) struct ListPublicKeys;

#[derive(Wire)]
pub(crate) struct Input {
    marker: Option<String>,
    max_items: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    public_key_list: List,
}

#[derive(Wire)]
pub(crate) struct List {
    next_marker: Option<String>,
    max_items: usize,
    quantity: usize,
    items: Option<Vec<Summary>>,
}

#[derive(Wire)]
pub(crate) struct Summary {
    id: String,
    name: String,
    created_time: Timestamp,
    encoded_key: String,
    comment: Option<String>,
}

impl Operation for ListPublicKeys {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let max = input.max_items.as_deref();
        let page = rules::page::<PublicKey>(cx.tx, |_| true, input.marker.as_deref(), max)?;
        let summary = |r: &PublicKey| Summary {
            id: r.id.clone(),
            name: r.config.name.clone(),
            created_time: r.modified,
            encoded_key: r.config.encoded_key.clone(),
            comment: r.config.comment.clone(),
        };
        let items: Vec<Summary> = page.items.iter().map(|r| summary(r)).collect();
        let list = List {
            next_marker: page.next,
            max_items: rules::page_size(max)?,
            quantity: items.len(),
            items: Some(items).filter(|i| !i.is_empty()),
        };
        Ok(Output { public_key_list: list })
    }
}
