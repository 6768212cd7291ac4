//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetKeyGroup.html>

use super::create_key_group::{Shape, shape};
use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{ETag, KeyGroupId};

pub(crate) struct GetKeyGroup;

#[derive(Wire)]
pub(crate) struct Input {
    id: KeyGroupId,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) key_group: Shape,
    #[wire("ETag")]
    pub(crate) etag: ETag,
}

impl Operation for GetKeyGroup {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = rules::key_group(cx, &input.id)?;
        Ok(Output { key_group: shape(&row), etag: row.etag.clone() })
    }
}
