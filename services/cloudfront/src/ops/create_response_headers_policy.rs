//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateResponseHeadersPolicy.html>

use crate::{
    Error,
    policies::{self, Written},
    rules,
};
use escale_base::{Timestamp, Wire};
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{
    ETag, ResponseHeadersPolicy, ResponseHeadersPolicyConfig, ResponseHeadersPolicyId,
};

pub(crate) struct CreateResponseHeadersPolicy;

#[derive(Wire)]
pub(crate) struct Input {
    response_headers_policy_config: ResponseHeadersPolicyConfig,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) response_headers_policy: Shape,
    pub(crate) location: String,
    #[wire("ETag")]
    pub(crate) etag: ETag,
}

#[derive(Debug, Wire)]
pub(crate) struct Shape {
    pub id: ResponseHeadersPolicyId,
    pub last_modified_time: Timestamp,
    pub response_headers_policy_config: ResponseHeadersPolicyConfig,
}

pub(super) fn shape(row: &ResponseHeadersPolicy) -> Shape {
    Shape {
        id: row.id.clone(),
        last_modified_time: row.modified,
        response_headers_policy_config: row.config.clone(),
    }
}

impl Operation for CreateResponseHeadersPolicy {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = policies::create::<ResponseHeadersPolicy>(cx, input.response_headers_policy_config)?;
        let location = rules::location(cx, &format!("{}/{}", ResponseHeadersPolicy::PATH, row.id));
        Ok(Output { response_headers_policy: shape(&row), location, etag: row.etag })
    }
}
