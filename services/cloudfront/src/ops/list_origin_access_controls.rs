//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ListOriginAccessControls.html>

use crate::{
    Error,
    rules::{self, List, MarkedList},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{
    OriginAccessControl, OriginAccessControlId, OriginAccessControlName, OriginAccessControlOriginType,
    SigningBehavior, SigningProtocol,
};
use std::sync::Arc;

pub(crate) struct ListOriginAccessControls;

#[derive(Wire)]
pub(crate) struct Input {
    marker: Option<String>,
    max_items: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    origin_access_control_list: MarkedList<Summary>,
}

#[derive(Wire)]
pub(crate) struct Summary {
    id: OriginAccessControlId,
    description: String,
    name: OriginAccessControlName,
    signing_protocol: SigningProtocol,
    signing_behavior: SigningBehavior,
    origin_access_control_origin_type: OriginAccessControlOriginType,
}

impl Operation for ListOriginAccessControls {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let max = input.max_items.as_deref();
        let page = rules::page::<OriginAccessControl>(cx.tx, |_| true, input.marker.as_deref(), max)?;
        let summary = |r: &Arc<OriginAccessControl>| Summary {
            id: r.id.clone(),
            description: r.config.description.clone().unwrap_or_default(),
            name: r.config.name.clone(),
            signing_protocol: r.config.signing_protocol,
            signing_behavior: r.config.signing_behavior,
            origin_access_control_origin_type: r.config.origin_access_control_origin_type,
        };
        let list = List::of(page, max, summary)?.marked(input.marker);
        Ok(Output { origin_access_control_list: list })
    }
}
