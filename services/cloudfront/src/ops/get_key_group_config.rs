//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetKeyGroupConfig.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{ETag, KeyGroupConfig, KeyGroupId};

pub(crate) struct GetKeyGroupConfig;

#[derive(Wire)]
pub(crate) struct Input {
    id: KeyGroupId,
}

#[derive(Wire)]
pub(crate) struct Output {
    key_group_config: KeyGroupConfig,
    #[wire("ETag")]
    etag: ETag,
}

impl Operation for GetKeyGroupConfig {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = rules::key_group(cx, &input.id)?;
        Ok(Output { key_group_config: row.config.clone(), etag: row.etag.clone() })
    }
}
