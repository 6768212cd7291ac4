//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetOriginAccessControlConfig.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{ETag, OriginAccessControlConfig, OriginAccessControlId};

pub(crate) struct GetOriginAccessControlConfig;

#[derive(Wire)]
pub(crate) struct Input {
    id: OriginAccessControlId,
}

#[derive(Wire)]
pub(crate) struct Output {
    origin_access_control_config: OriginAccessControlConfig,
    #[wire("ETag")]
    etag: ETag,
}

impl Operation for GetOriginAccessControlConfig {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = rules::origin_access_control(cx, &input.id)?;
        Ok(Output { origin_access_control_config: row.config.clone(), etag: row.etag.clone() })
    }
}
