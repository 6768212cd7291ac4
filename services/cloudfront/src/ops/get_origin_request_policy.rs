//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetOriginRequestPolicy.html>

use super::create_origin_request_policy::{Shape, shape};
use crate::{Error, policies};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{ETag, OriginRequestPolicy, OriginRequestPolicyId};

pub(crate) struct GetOriginRequestPolicy;

#[derive(Wire)]
pub(crate) struct Input {
    id: OriginRequestPolicyId,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) origin_request_policy: Shape,
    #[wire("ETag")]
    pub(crate) etag: ETag,
}

impl Operation for GetOriginRequestPolicy {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = policies::existing::<OriginRequestPolicy>(cx.tx, &input.id)?;
        Ok(Output { origin_request_policy: shape(&row), etag: row.etag.clone() })
    }
}
