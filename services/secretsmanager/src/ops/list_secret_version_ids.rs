//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecretVersionIds.html>

use crate::{Error, rules};
use escale_base::{Timestamp, Wire, limits, paging};
use escale_service::{Cx, Operation};
use escale_tables::secretsmanager::{SecretName, SecretVersionId, StagingLabel};

pub(crate) struct ListSecretVersionIds;

#[derive(Wire)]
pub(crate) struct Input {
    secret_id: String,
    max_results: Option<usize>,
    next_token: Option<String>,
    include_deprecated: Option<bool>,
}

#[derive(Wire)]
pub(crate) struct Listed {
    version_id: SecretVersionId,
    version_stages: Vec<StagingLabel>,
    created_date: Timestamp,
}

#[derive(Wire)]
pub(crate) struct Output {
    versions: Vec<Listed>,
    next_token: Option<String>,
    #[wire("ARN")]
    arn: String,
    name: SecretName,
}

impl Operation for ListSecretVersionIds {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        rules::arn_for_policy(cx, &input.secret_id)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let secret = rules::find(cx.tx, &input.secret_id, cx.now)?;
        let all = input.include_deprecated == Some(true);
        let mut found: Vec<_> = secret.versions.iter().filter(|v| all || !v.stages.is_empty()).collect();
        found.sort_by(|a, b| a.id.cmp(&b.id));
        let size = input.max_results.unwrap_or(limits::PAGE_DEFAULT);
        let page = paging::page(found, |v| v.id.to_string(), input.next_token.as_deref(), size)?;
        let listed = page.items.into_iter().map(|v| Listed {
            version_id: v.id.clone(),
            version_stages: v.stages.clone(),
            created_date: v.created,
        });
        Ok(Output {
            versions: listed.collect(),
            next_token: page.next,
            arn: secret.arn.to_string(),
            name: secret.name.clone(),
        })
    }
}
