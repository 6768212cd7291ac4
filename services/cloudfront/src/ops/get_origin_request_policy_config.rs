//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetOriginRequestPolicyConfig.html>

use super::get_origin_request_policy::ETAG;
use crate::{Error, policies, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::OriginRequestPolicyId;

pub(crate) struct GetOriginRequestPolicyConfig;

#[derive(Wire)]
pub(crate) struct Input {
    id: OriginRequestPolicyId,
}

#[derive(Wire)]
pub(crate) struct Output {
    origin_request_policy_config: shapes::RequestPolicyConfigShape,
    #[wire("ETag")]
    etag: &'static str,
}

impl Operation for GetOriginRequestPolicyConfig {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(_cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let policy = policies::request(&input.id).ok_or(Error::NoOriginRequestPolicy(input.id))?;
        Ok(Output {
            origin_request_policy_config: shapes::request_policy(policy).origin_request_policy_config,
            etag: ETAG,
        })
    }
}
