//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DeleteCloudFrontOriginAccessIdentity.html>

use crate::{Error, check, error::Kind, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{Distribution, OriginAccessIdentity, OriginAccessIdentityId};

pub(crate) struct DeleteCloudFrontOriginAccessIdentity;

#[derive(Wire)]
pub(crate) struct Input {
    id: OriginAccessIdentityId,
    if_match: Option<String>,
}

impl Operation for DeleteCloudFrontOriginAccessIdentity {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let row = rules::origin_access_identity(cx, &input.id)?;
        rules::matches(input.if_match.as_deref(), &row.etag)?;
        let uses = |d: &Distribution| {
            d.config.origins.0.iter().any(|o| check::identity_of(o) == Some(row.id.as_str()))
        };
        if let Some(user) = cx.tx.scan::<Distribution>().find(|d| uses(d)) {
            let (id, by) = (input.id.into(), user.id.to_string());
            return Err(Error::InUse { kind: Kind::OriginAccessIdentity, id, by });
        }
        cx.tx.delete::<OriginAccessIdentity>(&row.id);
        Ok(())
    }
}
