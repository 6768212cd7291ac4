//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_UpdateKeyGroup.html>

use super::create_key_group::{Shape, check, shape};
use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{ETag, KeyGroup, KeyGroupConfig, KeyGroupId};

pub(crate) struct UpdateKeyGroup;

#[derive(Wire)]
pub(crate) struct Input {
    key_group_config: KeyGroupConfig,
    id: KeyGroupId,
    if_match: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) key_group: Shape,
    #[wire("ETag")]
    etag: ETag,
}

impl Operation for UpdateKeyGroup {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let (row, config) = (rules::key_group(cx, &input.id)?, input.key_group_config);
        rules::matches(input.if_match.as_deref(), &row.etag)?;
        check(cx, &config)?;
        let row = KeyGroup { config, etag: rules::new_etag(), modified: cx.now, ..(*row).clone() };
        let output = Output { key_group: shape(&row), etag: row.etag.clone() };
        cx.tx.put(row);
        Ok(output)
    }
}
