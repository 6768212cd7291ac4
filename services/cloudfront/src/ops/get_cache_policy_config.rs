//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetCachePolicyConfig.html>

use crate::{Error, policies};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{CachePolicy, CachePolicyConfig, CachePolicyId, ETag};

pub(crate) struct GetCachePolicyConfig;

#[derive(Wire)]
pub(crate) struct Input {
    id: CachePolicyId,
}

#[derive(Wire)]
pub(crate) struct Output {
    cache_policy_config: CachePolicyConfig,
    #[wire("ETag")]
    etag: ETag,
}

impl Operation for GetCachePolicyConfig {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = policies::existing::<CachePolicy>(cx.tx, &input.id)?;
        Ok(Output { cache_policy_config: row.config.clone(), etag: row.etag.clone() })
    }
}
