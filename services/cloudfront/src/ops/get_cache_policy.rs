//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetCachePolicy.html>

use super::create_cache_policy::{Shape, shape};
use crate::{Error, policies};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{CachePolicy, CachePolicyId, ETag};

pub(crate) struct GetCachePolicy;

#[derive(Wire)]
pub(crate) struct Input {
    id: CachePolicyId,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) cache_policy: Shape,
    #[wire("ETag")]
    pub(crate) etag: ETag,
}

impl Operation for GetCachePolicy {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = policies::existing::<CachePolicy>(cx.tx, &input.id)?;
        Ok(Output { cache_policy: shape(&row), etag: row.etag.clone() })
    }
}
