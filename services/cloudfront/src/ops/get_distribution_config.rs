//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetDistributionConfig.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{DistributionConfig, DistributionId, ETag};

pub(crate) struct GetDistributionConfig;

#[derive(Wire)]
pub(crate) struct Input {
    id: DistributionId,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) distribution_config: DistributionConfig,
    #[wire("ETag")]
    pub(crate) etag: ETag,
}

impl Operation for GetDistributionConfig {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx, &format!("distribution/{}", input.id))]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = rules::distribution(cx, &input.id)?;
        Ok(Output { distribution_config: row.config.clone(), etag: row.etag.clone() })
    }
}
