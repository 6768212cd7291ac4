//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DeleteOriginAccessControl.html>

use crate::{Error, error::Kind, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{Distribution, OriginAccessControl, OriginAccessControlId};

pub(crate) struct DeleteOriginAccessControl;

#[derive(Wire)]
pub(crate) struct Input {
    id: OriginAccessControlId,
    if_match: Option<String>,
}

impl Operation for DeleteOriginAccessControl {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let row = rules::origin_access_control(cx, &input.id)?;
        rules::matches(input.if_match.as_deref(), &row.etag)?;
        let uses = |d: &Distribution| {
            d.config.origins.0.iter().any(|o| o.origin_access_control_id.as_ref() == Some(&row.id))
        };
        if let Some(user) = cx.tx.scan::<Distribution>().find(|d| uses(d)) {
            return Err(Error::InUse {
                kind: Kind::OriginAccessControl,
                id: input.id.into(),
                by: user.id.to_string(),
            });
        }
        cx.tx.delete::<OriginAccessControl>(&row.id);
        Ok(())
    }
}
