//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ListCloudFrontOriginAccessIdentities.html>

use crate::{
    Error,
    rules::{self, List, MarkedList},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{CanonicalUserId, OriginAccessIdentity, OriginAccessIdentityId};
use std::sync::Arc;

pub(crate) struct ListCloudFrontOriginAccessIdentities;

#[derive(Wire)]
pub(crate) struct Input {
    marker: Option<String>,
    max_items: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    cloud_front_origin_access_identity_list: MarkedList<Summary>,
}

#[derive(Wire)]
pub(crate) struct Summary {
    id: OriginAccessIdentityId,
    s3_canonical_user_id: CanonicalUserId,
    comment: String,
}

impl Operation for ListCloudFrontOriginAccessIdentities {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let max = input.max_items.as_deref();
        let page = rules::page::<OriginAccessIdentity>(cx.tx, |_| true, input.marker.as_deref(), max)?;
        let summary = |row: &Arc<OriginAccessIdentity>| Summary {
            id: row.id.clone(),
            s3_canonical_user_id: row.canonical_user.clone(),
            comment: row.config.comment.clone(),
        };
        let list = List::of(page, max, summary)?.marked(input.marker);
        Ok(Output { cloud_front_origin_access_identity_list: list })
    }
}
