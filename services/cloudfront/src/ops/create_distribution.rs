//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateDistribution.html>

use crate::{Error, check, rules, shapes};
use escale_base::{Tag, Wire};
use escale_service::{Also, Config, Cx, Operation};
use escale_tables::cloudfront::{Distribution, DistributionConfig, DistributionHost, DistributionId, ETag};

pub(crate) struct CreateDistribution;

#[derive(Wire)]
pub(crate) struct Input {
    pub(crate) distribution_config: DistributionConfig,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) distribution: shapes::DistributionShape,
    pub(crate) location: String,
    #[wire("ETag")]
    pub(crate) etag: ETag,
}

impl Operation for CreateDistribution {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn also(input: &Input, _cx: &Cx<'_>) -> Vec<Also> {
        check::actions(&input.distribution_config)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        create(cx, input.distribution_config, Vec::new())
    }
}

/// Creates a distribution. A repeated request with the same caller reference returns the existing one.
pub(super) fn create(cx: &mut Cx<'_>, config: DistributionConfig, tags: Vec<Tag>) -> Result<Output, Error> {
    let reference = &config.caller_reference;
    if let Some(same) = cx.tx.scan::<Distribution>().find(|d| d.config.caller_reference == *reference) {
        if same.config != config {
            return Err(Error::DistributionExists(same.id.clone()));
        }
        return Ok(output(cx, &same));
    }
    check::config(cx, None, &config)?;
    let id = DistributionId(rules::random_id('E'));
    let domain_name =
        DistributionHost(format!("{}.cloudfront.{}", id.to_ascii_lowercase(), Config::PUBLIC_SUFFIX));
    let etag = rules::new_etag();
    let row = Distribution { id, domain_name, config, etag, tags, modified: cx.now };
    cx.tx.put(shapes::name(cx, &row));
    cx.tx.put(row.clone());
    Ok(output(cx, &row))
}

fn output(cx: &Cx<'_>, row: &Distribution) -> Output {
    let location = format!("http://{}/2020-05-31/distribution/{}", cx.caller.host, row.id);
    Output { distribution: shapes::distribution(cx, row), location, etag: row.etag.clone() }
}
