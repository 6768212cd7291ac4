//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetPublicKey.html>

use super::create_public_key::{Shape, shape};
use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{ETag, PublicKeyId};

pub(crate) struct GetPublicKey;

#[derive(Wire)]
pub(crate) struct Input {
    id: PublicKeyId,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) public_key: Shape,
    #[wire("ETag")]
    pub(crate) etag: ETag,
}

impl Operation for GetPublicKey {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = rules::public_key(cx, &input.id)?;
        Ok(Output { public_key: shape(&row), etag: row.etag.clone() })
    }
}
