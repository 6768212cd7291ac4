//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DeletePublicKey.html>

use crate::{Error, error::Kind, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{KeyGroup, PublicKey, PublicKeyId};

pub(crate) struct DeletePublicKey;

#[derive(Wire)]
pub(crate) struct Input {
    id: PublicKeyId,
    if_match: Option<String>,
}

impl Operation for DeletePublicKey {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let row = rules::public_key(cx, &input.id)?;
        rules::matches(input.if_match.as_deref(), &row.etag)?;
        let user = cx.tx.scan::<KeyGroup>().find(|g| g.config.items.contains(&row.id));
        if let Some(user) = user {
            return Err(Error::InUse { kind: Kind::PublicKey, id: input.id.into(), by: user.id.to_string() });
        }
        cx.tx.delete::<PublicKey>(&row.id);
        Ok(())
    }
}
