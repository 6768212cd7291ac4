//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListClusters.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_base::{limits, paging};
use escale_service::{Cx, Operation};
use escale_tables::ecs::Cluster;

pub(crate) struct ListClusters;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    cluster_arns: Vec<String>,
    next_token: Option<String>,
}

impl Operation for ListClusters {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let names = cx.tx.scan::<Cluster>().filter(|c| c.deleted.is_none()).map(|c| c.name.clone());
        let size = input.max_results.unwrap_or(limits::PAGE_DEFAULT);
        let page = paging::page(names, ToString::to_string, input.next_token.as_deref(), size)?;
        let cluster_arns = page.items.iter().map(|n| rules::cluster_arn(cx.config, n)).collect();
        Ok(Output { cluster_arns, next_token: page.next })
    }
}
