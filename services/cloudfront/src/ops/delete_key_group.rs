//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DeleteKeyGroup.html>

use crate::{Error, error::Kind, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{Distribution, KeyGroup, KeyGroupId};

pub(crate) struct DeleteKeyGroup;

#[derive(Wire)]
pub(crate) struct Input {
    id: KeyGroupId,
    if_match: Option<String>,
}

impl Operation for DeleteKeyGroup {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let row = rules::key_group(cx, &input.id)?;
        rules::matches(input.if_match.as_deref(), &row.etag)?;
        if let Some(user) = cx.tx.scan::<Distribution>().find(|d| trusts(d, &row.id)) {
            return Err(Error::InUse { kind: Kind::KeyGroup, id: input.id.into(), by: user.id.to_string() });
        }
        cx.tx.delete::<KeyGroup>(&row.id);
        Ok(())
    }
}

fn trusts(distribution: &Distribution, group: &KeyGroupId) -> bool {
    let config = &distribution.config;
    let others = config.cache_behaviors.iter().flat_map(|b| &b.0).map(|b| b.trusted_key_groups.as_ref());
    let all = std::iter::once(config.default_cache_behavior.trusted_key_groups.as_ref()).chain(others);
    all.flatten().flat_map(|t| t.items.iter().flatten()).any(|id| id == group)
}
