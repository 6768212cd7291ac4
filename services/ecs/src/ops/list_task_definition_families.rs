//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTaskDefinitionFamilies.html>

use crate::Error;
use escale_base::Wire;
use escale_base::{limits, paging};
use escale_service::{Cx, Operation};
use escale_tables::ecs::TaskDefinition;
use std::collections::BTreeSet;

pub(crate) struct ListTaskDefinitionFamilies;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    family_prefix: Option<String>,
    status: Option<String>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    families: Vec<String>,
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
        let found: BTreeSet<String> = match input.status.as_deref() {
            None | Some("ALL") => all,
            Some("ACTIVE") => active,
            Some("INACTIVE") => all.difference(&active).cloned().collect(),
            Some(other) => return Err(Error::Invalid(format!("The status {other} is not known."))),
        };
        let size = input.max_results.unwrap_or(limits::PAGE_DEFAULT);
        let page = paging::page(found, String::clone, input.next_token.as_deref(), size)?;
        Ok(Output { families: page.items, next_token: page.next })
    }
}
