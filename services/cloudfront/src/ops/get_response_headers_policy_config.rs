//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetResponseHeadersPolicyConfig.html>

use crate::{Error, policies};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{
    ETag, ResponseHeadersPolicy, ResponseHeadersPolicyConfig, ResponseHeadersPolicyId,
};

pub(crate) struct GetResponseHeadersPolicyConfig;

#[derive(Wire)]
pub(crate) struct Input {
    id: ResponseHeadersPolicyId,
}

#[derive(Wire)]
pub(crate) struct Output {
    response_headers_policy_config: ResponseHeadersPolicyConfig,
    #[wire("ETag")]
    etag: ETag,
}

impl Operation for GetResponseHeadersPolicyConfig {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = policies::existing::<ResponseHeadersPolicy>(cx.tx, &input.id)?;
        Ok(Output { response_headers_policy_config: row.config.clone(), etag: row.etag.clone() })
    }
}
