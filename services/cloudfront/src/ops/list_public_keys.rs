//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ListPublicKeys.html>

use crate::{
    Error,
    rules::{self, List},
};
use escale_base::{Timestamp, Wire};
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{PublicKey, PublicKeyId, PublicKeyName};
use std::sync::Arc;

pub(crate) struct ListPublicKeys;

#[derive(Wire)]
pub(crate) struct Input {
    marker: Option<String>,
    max_items: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    public_key_list: List<Summary>,
}

#[derive(Wire)]
pub(crate) struct Summary {
    id: PublicKeyId,
    name: PublicKeyName,
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
        let summary = |r: &Arc<PublicKey>| Summary {
            id: r.id.clone(),
            name: r.config.name.clone(),
            created_time: r.modified,
            encoded_key: r.config.encoded_key.clone(),
            comment: r.config.comment.clone(),
        };
        Ok(Output { public_key_list: List::of(page, max, summary)? })
    }
}
