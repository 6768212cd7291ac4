//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_UpdateResponseHeadersPolicy.html>

use super::create_response_headers_policy::{Shape, shape};
use crate::{Error, policies};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{
    ETag, ResponseHeadersPolicy, ResponseHeadersPolicyConfig, ResponseHeadersPolicyId,
};

pub(crate) struct UpdateResponseHeadersPolicy;

#[derive(Wire)]
pub(crate) struct Input {
    response_headers_policy_config: ResponseHeadersPolicyConfig,
    id: ResponseHeadersPolicyId,
    if_match: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) response_headers_policy: Shape,
    #[wire("ETag")]
    etag: ETag,
}

impl Operation for UpdateResponseHeadersPolicy {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let (id, if_match) = (&input.id, input.if_match.as_deref());
        let row = policies::update::<ResponseHeadersPolicy>(
            cx,
            id,
            if_match,
            input.response_headers_policy_config,
        )?;
        Ok(Output { response_headers_policy: shape(&row), etag: row.etag })
    }
}
