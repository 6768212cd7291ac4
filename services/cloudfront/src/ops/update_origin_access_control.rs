//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_UpdateOriginAccessControl.html>

use super::create_origin_access_control::{Shape, check, shape};
use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{
    ETag, OriginAccessControl, OriginAccessControlConfig, OriginAccessControlId,
};

pub(crate) struct UpdateOriginAccessControl;

#[derive(Wire)]
pub(crate) struct Input {
    origin_access_control_config: OriginAccessControlConfig,
    id: OriginAccessControlId,
    if_match: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    origin_access_control: Shape,
    #[wire("ETag")]
    etag: ETag,
}

impl Operation for UpdateOriginAccessControl {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let (row, config) =
            (rules::origin_access_control(cx, &input.id)?, input.origin_access_control_config);
        rules::matches(input.if_match.as_deref(), &row.etag)?;
        check(&config)?;
        let row = OriginAccessControl { config, etag: rules::new_etag(), modified: cx.now, ..(*row).clone() };
        let output = Output { origin_access_control: shape(&row), etag: row.etag.clone() };
        cx.tx.put(row);
        Ok(output)
    }
}
