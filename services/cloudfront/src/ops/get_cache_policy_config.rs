//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetCachePolicyConfig.html>

use super::get_cache_policy::ETAG;
use crate::{Error, policies, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::CachePolicyId;

pub(crate) struct GetCachePolicyConfig;

#[derive(Wire)]
pub(crate) struct Input {
    id: CachePolicyId,
}

#[derive(Wire)]
pub(crate) struct Output {
    cache_policy_config: shapes::CachePolicyConfigShape,
    #[wire("ETag")]
    etag: &'static str,
}

impl Operation for GetCachePolicyConfig {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(_cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let policy = policies::cache(&input.id).ok_or(Error::NoCachePolicy(input.id))?;
        Ok(Output { cache_policy_config: shapes::cache_policy(policy).cache_policy_config, etag: ETAG })
    }
}
