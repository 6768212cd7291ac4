//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_UpdateCachePolicy.html>

use super::create_cache_policy::{Shape, shape};
use crate::{Error, policies};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{CachePolicy, CachePolicyConfig, CachePolicyId, ETag};

pub(crate) struct UpdateCachePolicy;

#[derive(Wire)]
pub(crate) struct Input {
    cache_policy_config: CachePolicyConfig,
    id: CachePolicyId,
    if_match: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) cache_policy: Shape,
    #[wire("ETag")]
    etag: ETag,
}

impl Operation for UpdateCachePolicy {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let (id, if_match) = (&input.id, input.if_match.as_deref());
        let row = policies::update::<CachePolicy>(cx, id, if_match, input.cache_policy_config)?;
        Ok(Output { cache_policy: shape(&row), etag: row.etag })
    }
}
