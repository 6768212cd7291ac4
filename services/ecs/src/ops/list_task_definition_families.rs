//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTaskDefinitionFamilies.html>

use crate::{Error, choices::TaskDefinitionFamilyStatus as Status};
use escale_base::Wire;
use escale_base::{limits, paging};
use escale_service::{Cx, Operation};
use escale_tables::ecs::{Family, TaskDefinition};
use std::collections::BTreeSet;

pub(crate) struct ListTaskDefinitionFamilies;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    family_prefix: Option<String>,
    status: Option<Status>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    families: Vec<Family>,
    next_token: Option<String>,
}

impl Operation for ListTaskDefinitionFamilies {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let prefix = input.family_prefix.unwrap_or_default();
        let mut active = BTreeSet::new();
        let mut all = BTreeSet::new();
        for d in cx.tx.prefix::<TaskDefinition>(&prefix) {
            all.insert(d.family.clone());
            if d.deregistered.is_none() {
                active.insert(d.family.clone());
            }
        }
        let found: BTreeSet<Family> = match input.status {
            None | Some(Status::All) => all,
            Some(Status::Active) => active,
            Some(Status::Inactive) => all.difference(&active).cloned().collect(),
        };
        let size = input.max_results.unwrap_or(limits::PAGE_DEFAULT);
        let page = paging::page(found, ToString::to_string, input.next_token.as_deref(), size)?;
        Ok(Output { families: page.items, next_token: page.next })
    }
}
