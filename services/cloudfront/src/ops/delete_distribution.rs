//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DeleteDistribution.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{
    Distribution, DistributionId, DistributionName, Invalidation, InvalidationSeen,
};

pub(crate) struct DeleteDistribution;

#[derive(Wire)]
pub(crate) struct Input {
    id: DistributionId,
    if_match: Option<String>,
}

impl Operation for DeleteDistribution {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx, &format!("distribution/{}", input.id))]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let row = rules::distribution(cx, &input.id)?;
        rules::matches(input.if_match.as_deref(), &row.etag)?;
        if row.config.enabled {
            return Err(Error::NotDisabled);
        }
        let prefix = format!("{}/", row.id);
        let invalidations: Vec<_> = cx.tx.prefix::<Invalidation>(&prefix).map(|i| i.id.clone()).collect();
        for id in invalidations {
            let key = Invalidation::key_of(&row.id, &id);
            cx.tx.delete::<Invalidation>(&key);
            cx.tx.delete::<InvalidationSeen>(&key);
        }
        cx.tx.delete::<DistributionName>(&row.domain_name);
        cx.tx.delete::<Distribution>(&row.id);
        Ok(())
    }
}
