//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetOriginAccessControl.html>

use super::create_origin_access_control::{Shape, shape};
use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{ETag, OriginAccessControlId};

pub(crate) struct GetOriginAccessControl;

#[derive(Wire)]
pub(crate) struct Input {
    id: OriginAccessControlId,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) origin_access_control: Shape,
    #[wire("ETag")]
    pub(crate) etag: ETag,
}

impl Operation for GetOriginAccessControl {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = rules::origin_access_control(cx, &input.id)?;
        Ok(Output { origin_access_control: shape(&row), etag: row.etag.clone() })
    }
}
