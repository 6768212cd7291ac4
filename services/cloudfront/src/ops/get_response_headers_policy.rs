//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetResponseHeadersPolicy.html>

use super::create_response_headers_policy::{Shape, shape};
use crate::{Error, policies};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{ETag, ResponseHeadersPolicy, ResponseHeadersPolicyId};

pub(crate) struct GetResponseHeadersPolicy;

#[derive(Wire)]
pub(crate) struct Input {
    id: ResponseHeadersPolicyId,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) response_headers_policy: Shape,
    #[wire("ETag")]
    pub(crate) etag: ETag,
}

impl Operation for GetResponseHeadersPolicy {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = policies::existing::<ResponseHeadersPolicy>(cx.tx, &input.id)?;
        Ok(Output { response_headers_policy: shape(&row), etag: row.etag.clone() })
    }
}
