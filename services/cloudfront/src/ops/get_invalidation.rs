//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetInvalidation.html>

use crate::{Error, rules, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{DistributionId, Invalidation, InvalidationId};

pub(crate) struct GetInvalidation;

#[derive(Wire)]
pub(crate) struct Input {
    distribution_id: DistributionId,
    id: InvalidationId,
}

#[derive(Wire)]
pub(crate) struct Output {
    invalidation: shapes::InvalidationShape,
}

impl Operation for GetInvalidation {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        rules::distribution(cx, &input.distribution_id)?;
        let key = Invalidation::key_of(&input.distribution_id, &input.id);
        let row = cx.tx.get::<Invalidation>(&key).ok_or(Error::NoInvalidation(input.id))?;
        Ok(Output { invalidation: shapes::invalidation(cx.tx, &row) })
    }
}
