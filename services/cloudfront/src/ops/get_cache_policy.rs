//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetCachePolicy.html>

use crate::{Error, policies, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::CachePolicyId;

pub(crate) struct GetCachePolicy;

#[derive(Wire)]
pub(crate) struct Input {
    id: CachePolicyId,
}

#[derive(Wire)]
pub(crate) struct Output {
    cache_policy: shapes::CachePolicyShape,
    #[wire("ETag")]
    etag: &'static str,
}

/// One ETag for all policies: AWS's managed policies never change.
pub(super) const ETAG: &str = "E23ZP02F085DFQ";

impl Operation for GetCachePolicy {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(_cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let policy = policies::cache(&input.id).ok_or(Error::NoCachePolicy(input.id))?;
        Ok(Output { cache_policy: shapes::cache_policy(policy), etag: ETAG })
    }
}
