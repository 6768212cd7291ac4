//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetOriginAccessControl.html>

use super::create_origin_access_control::{Shape, shape};
use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct GetOriginAccessControl;

#[derive(Wire)]
pub(crate) struct Input {
    id: String,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) origin_access_control: Shape,
    #[wire("ETag")]
    pub(crate) etag: String,
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
