//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetOriginRequestPolicy.html>

use crate::{Error, policies, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::OriginRequestPolicyId;

pub(crate) struct GetOriginRequestPolicy;

#[derive(Wire)]
pub(crate) struct Input {
    id: OriginRequestPolicyId,
}

#[derive(Wire)]
pub(crate) struct Output {
    origin_request_policy: shapes::RequestPolicyShape,
    #[wire("ETag")]
    etag: &'static str,
}

/// One ETag for all policies: AWS's managed policies never change.
pub(super) const ETAG: &str = "E23ZP02F085DFQ";

impl Operation for GetOriginRequestPolicy {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(_cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let policy = policies::request(&input.id).ok_or(Error::NoOriginRequestPolicy(input.id))?;
        Ok(Output { origin_request_policy: shapes::request_policy(policy), etag: ETAG })
    }
}
