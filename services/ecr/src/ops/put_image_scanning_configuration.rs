//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImageScanningConfiguration.html>
//!
//! Recorded only: no image is scanned.

use crate::{Error, rules, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ecr::{Repository, RepositoryName};

pub(crate) struct PutImageScanningConfiguration;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    registry_id: Option<String>,
    repository_name: RepositoryName,
    image_scanning_configuration: shapes::Scanning,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    registry_id: String,
    repository_name: RepositoryName,
    image_scanning_configuration: shapes::Scanning,
}

impl Operation for PutImageScanningConfiguration {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx.config, &input.repository_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        rules::row(cx, input.registry_id.as_deref(), &input.repository_name)?;
        let name = input.repository_name;
        let scan_on_push = input.image_scanning_configuration.scan_on_push.unwrap_or(false);
        cx.tx.update::<Repository, ()>(&name, |r| r.scan_on_push = scan_on_push);
        Ok(Output {
            registry_id: cx.config.account.clone(),
            repository_name: name,
            image_scanning_configuration: shapes::Scanning { scan_on_push: Some(scan_on_push) },
        })
    }
}
