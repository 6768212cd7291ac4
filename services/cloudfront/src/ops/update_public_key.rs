//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_UpdatePublicKey.html>

use super::create_public_key::{Shape, shape};
use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{ETag, PublicKey, PublicKeyConfig, PublicKeyId};

pub(crate) struct UpdatePublicKey;

#[derive(Wire)]
pub(crate) struct Input {
    public_key_config: PublicKeyConfig,
    id: PublicKeyId,
    if_match: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    public_key: Shape,
    #[wire("ETag")]
    etag: ETag,
}

impl Operation for UpdatePublicKey {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let (row, config) = (rules::public_key(cx, &input.id)?, input.public_key_config);
        rules::matches(input.if_match.as_deref(), &row.etag)?;
        let fixed = |c: &PublicKeyConfig| (c.caller_reference.clone(), c.name.clone(), c.encoded_key.clone());
        if fixed(&config) != fixed(&row.config) {
            return Err(Error::KeyIsFixed);
        }
        let row = PublicKey { config, etag: rules::new_etag(), modified: row.modified, ..(*row).clone() };
        let output = Output { public_key: shape(&row), etag: row.etag.clone() };
        cx.tx.put(row);
        Ok(output)
    }
}
