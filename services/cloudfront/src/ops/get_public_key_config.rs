//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetPublicKeyConfig.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{ETag, PublicKeyConfig, PublicKeyId};

pub(crate) struct GetPublicKeyConfig;

#[derive(Wire)]
pub(crate) struct Input {
    id: PublicKeyId,
}

#[derive(Wire)]
pub(crate) struct Output {
    public_key_config: PublicKeyConfig,
    #[wire("ETag")]
    etag: ETag,
}

impl Operation for GetPublicKeyConfig {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = rules::public_key(cx, &input.id)?;
        Ok(Output { public_key_config: row.config.clone(), etag: row.etag.clone() })
    }
}
