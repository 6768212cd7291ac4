//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_UpdateDistribution.html>

use crate::{Error, check, rules, shapes};
use escale_base::Wire;
use escale_service::{Also, Cx, Operation};
use escale_tables::cloudfront::{Distribution, DistributionConfig, DistributionId, ETag};

pub(crate) struct UpdateDistribution;

#[derive(Wire)]
pub(crate) struct Input {
    distribution_config: DistributionConfig,
    id: DistributionId,
    if_match: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) distribution: shapes::DistributionShape,
    #[wire("ETag")]
    pub(crate) etag: ETag,
}

impl Operation for UpdateDistribution {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx, &format!("distribution/{}", input.id))]
    }

    fn also(input: &Input, _cx: &Cx<'_>) -> Vec<Also> {
        check::actions(&input.distribution_config)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let (row, config) = (rules::distribution(cx, &input.id)?, input.distribution_config);
        rules::matches(input.if_match.as_deref(), &row.etag)?;
        if config.caller_reference != row.config.caller_reference {
            return Err(Error::IllegalUpdate(
                "The CallerReference of a distribution cannot be changed".into(),
            ));
        }
        check::config(cx, Some(&row.id), &config)?;
        let etag = rules::new_etag();
        let row = Distribution { config, etag, modified: cx.now, ..(*row).clone() };
        cx.tx.put(row.clone());
        Ok(Output { distribution: shapes::distribution(cx, &row), etag: row.etag })
    }
}
