//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetOriginRequestPolicyConfig.html>

use crate::{Error, policies};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{
    ETag, OriginRequestPolicy, OriginRequestPolicyConfig, OriginRequestPolicyId,
};

pub(crate) struct GetOriginRequestPolicyConfig;

#[derive(Wire)]
pub(crate) struct Input {
    id: OriginRequestPolicyId,
}

#[derive(Wire)]
pub(crate) struct Output {
    origin_request_policy_config: OriginRequestPolicyConfig,
    #[wire("ETag")]
    etag: ETag,
}

impl Operation for GetOriginRequestPolicyConfig {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = policies::existing::<OriginRequestPolicy>(cx.tx, &input.id)?;
        Ok(Output { origin_request_policy_config: row.config.clone(), etag: row.etag.clone() })
    }
}
