//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateOriginRequestPolicy.html>

use crate::{
    Error,
    policies::{self, Written},
    rules,
};
use escale_base::{Timestamp, Wire};
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{
    ETag, OriginRequestPolicy, OriginRequestPolicyConfig, OriginRequestPolicyId,
};

pub(crate) struct CreateOriginRequestPolicy;

#[derive(Wire)]
pub(crate) struct Input {
    origin_request_policy_config: OriginRequestPolicyConfig,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) origin_request_policy: Shape,
    pub(crate) location: String,
    #[wire("ETag")]
    pub(crate) etag: ETag,
}

#[derive(Debug, Wire)]
pub(crate) struct Shape {
    pub id: OriginRequestPolicyId,
    pub last_modified_time: Timestamp,
    pub origin_request_policy_config: OriginRequestPolicyConfig,
}

pub(super) fn shape(row: &OriginRequestPolicy) -> Shape {
    Shape {
        id: row.id.clone(),
        last_modified_time: row.modified,
        origin_request_policy_config: row.config.clone(),
    }
}

impl Operation for CreateOriginRequestPolicy {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = policies::create::<OriginRequestPolicy>(cx, input.origin_request_policy_config)?;
        let location = rules::location(cx, &format!("{}/{}", OriginRequestPolicy::PATH, row.id));
        Ok(Output { origin_request_policy: shape(&row), location, etag: row.etag })
    }
}
