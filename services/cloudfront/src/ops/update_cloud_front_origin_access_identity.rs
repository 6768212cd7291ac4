//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_UpdateCloudFrontOriginAccessIdentity.html>
//!
//! Only the comment of an identity can change.

use super::create_cloud_front_origin_access_identity::{Shape, shape};
use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{
    ETag, OriginAccessIdentity, OriginAccessIdentityConfig, OriginAccessIdentityId,
};

pub(crate) struct UpdateCloudFrontOriginAccessIdentity;

#[derive(Wire)]
pub(crate) struct Input {
    cloud_front_origin_access_identity_config: OriginAccessIdentityConfig,
    id: OriginAccessIdentityId,
    if_match: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    cloud_front_origin_access_identity: Shape,
    #[wire("ETag")]
    etag: ETag,
}

impl Operation for UpdateCloudFrontOriginAccessIdentity {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let (row, config) =
            (rules::origin_access_identity(cx, &input.id)?, input.cloud_front_origin_access_identity_config);
        rules::matches(input.if_match.as_deref(), &row.etag)?;
        if config.caller_reference != row.config.caller_reference {
            return Err(Error::IllegalUpdate("The caller reference of an identity cannot change".into()));
        }
        let row = OriginAccessIdentity { config, etag: rules::new_etag(), ..(*row).clone() };
        let output = Output { cloud_front_origin_access_identity: shape(&row), etag: row.etag.clone() };
        cx.tx.put(row);
        Ok(output)
    }
}
