//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetDistribution.html>

use crate::{Error, rules, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{DistributionId, ETag};

pub(crate) struct GetDistribution;

#[derive(Wire)]
pub(crate) struct Input {
    id: DistributionId,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) distribution: shapes::DistributionShape,
    #[wire("ETag")]
    pub(crate) etag: ETag,
}

impl Operation for GetDistribution {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx, &format!("distribution/{}", input.id))]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = rules::distribution(cx, &input.id)?;
        Ok(Output { distribution: shapes::distribution(cx, &row), etag: row.etag.clone() })
    }
}
