//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateCachePolicy.html>

use crate::{
    Error,
    policies::{self, Written},
    rules,
};
use escale_base::{Timestamp, Wire};
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{CachePolicy, CachePolicyConfig, CachePolicyId, ETag};

pub(crate) struct CreateCachePolicy;

#[derive(Wire)]
pub(crate) struct Input {
    cache_policy_config: CachePolicyConfig,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) cache_policy: Shape,
    pub(crate) location: String,
    #[wire("ETag")]
    pub(crate) etag: ETag,
}

#[derive(Debug, Wire)]
pub(crate) struct Shape {
    pub id: CachePolicyId,
    pub last_modified_time: Timestamp,
    pub cache_policy_config: CachePolicyConfig,
}

pub(super) fn shape(row: &CachePolicy) -> Shape {
    Shape { id: row.id.clone(), last_modified_time: row.modified, cache_policy_config: row.config.clone() }
}

impl Operation for CreateCachePolicy {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = policies::create::<CachePolicy>(cx, input.cache_policy_config)?;
        let location = rules::location(cx, &format!("{}/{}", CachePolicy::PATH, row.id));
        Ok(Output { cache_policy: shape(&row), location, etag: row.etag })
    }
}
