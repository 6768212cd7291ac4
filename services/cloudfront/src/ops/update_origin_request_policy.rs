//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_UpdateOriginRequestPolicy.html>

use super::create_origin_request_policy::{Shape, shape};
use crate::{Error, policies};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{
    ETag, OriginRequestPolicy, OriginRequestPolicyConfig, OriginRequestPolicyId,
};

pub(crate) struct UpdateOriginRequestPolicy;

#[derive(Wire)]
pub(crate) struct Input {
    origin_request_policy_config: OriginRequestPolicyConfig,
    id: OriginRequestPolicyId,
    if_match: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) origin_request_policy: Shape,
    #[wire("ETag")]
    etag: ETag,
}

impl Operation for UpdateOriginRequestPolicy {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let (id, if_match) = (&input.id, input.if_match.as_deref());
        let row =
            policies::update::<OriginRequestPolicy>(cx, id, if_match, input.origin_request_policy_config)?;
        Ok(Output { origin_request_policy: shape(&row), etag: row.etag })
    }
}
