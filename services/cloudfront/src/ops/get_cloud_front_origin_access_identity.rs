//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetCloudFrontOriginAccessIdentity.html>

use super::create_cloud_front_origin_access_identity::{Shape, shape};
use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{ETag, OriginAccessIdentityId};

pub(crate) struct GetCloudFrontOriginAccessIdentity;

#[derive(Wire)]
pub(crate) struct Input {
    id: OriginAccessIdentityId,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) cloud_front_origin_access_identity: Shape,
    #[wire("ETag")]
    pub(crate) etag: ETag,
}

impl Operation for GetCloudFrontOriginAccessIdentity {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = rules::origin_access_identity(cx, &input.id)?;
        Ok(Output { cloud_front_origin_access_identity: shape(&row), etag: row.etag.clone() })
    }
}
