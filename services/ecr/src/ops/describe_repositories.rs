//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeRepositories.html>

use crate::{Error, rules, shapes};
use escale_base::{Wire, paging};
use escale_service::{Cx, Operation};
use escale_tables::ecr::{Repository, RepositoryName};

pub(crate) struct DescribeRepositories;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    registry_id: Option<String>,
    repository_names: Vec<RepositoryName>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    pub(crate) repositories: Vec<shapes::RepositoryShape>,
    next_token: Option<String>,
}

impl Operation for DescribeRepositories {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        input.repository_names.iter().map(|name| rules::arn(cx.config, name)).collect()
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        rules::registry(cx.config, input.registry_id.as_deref())?;
        let rows: Vec<_> = match input.repository_names.as_slice() {
            [] => cx.tx.scan::<Repository>().collect(),
            names => names.iter().map(|name| rules::row(cx, None, name)).collect::<Result<_, _>>()?,
        };
        // As on AWS, a request with names gets all of them in one page.
        let size =
            if input.repository_names.is_empty() { input.max_results.unwrap_or(100) } else { rows.len() };
        let page = paging::page(rows, |r| r.name.to_string(), input.next_token.as_deref(), size)?;
        let repositories = page.items.iter().map(|r| shapes::repository(r, cx.config)).collect();
        Ok(Output { repositories, next_token: page.next })
    }
}
