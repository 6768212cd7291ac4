//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetCloudFrontOriginAccessIdentityConfig.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{ETag, OriginAccessIdentityConfig, OriginAccessIdentityId};

pub(crate) struct GetCloudFrontOriginAccessIdentityConfig;

#[derive(Wire)]
pub(crate) struct Input {
    id: OriginAccessIdentityId,
}

#[derive(Wire)]
pub(crate) struct Output {
    cloud_front_origin_access_identity_config: OriginAccessIdentityConfig,
    #[wire("ETag")]
    etag: ETag,
}

impl Operation for GetCloudFrontOriginAccessIdentityConfig {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = rules::origin_access_identity(cx, &input.id)?;
        let config = row.config.clone();
        Ok(Output { cloud_front_origin_access_identity_config: config, etag: row.etag.clone() })
    }
}
