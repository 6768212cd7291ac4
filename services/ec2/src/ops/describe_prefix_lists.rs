//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribePrefixLists.html>

use crate::{
    Error,
    error::Kind,
    filters::{self, Filter, one},
    prefix_lists::{self, PrefixList},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct DescribePrefixLists;

#[derive(Wire)]
pub(crate) struct Input {
    prefix_list_ids: Vec<String>,
    filters: Vec<Filter>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    prefix_lists: Vec<Shape>,
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Shape {
    prefix_list_id: &'static str,
    prefix_list_name: String,
    cidrs: Vec<String>,
}

impl Operation for DescribePrefixLists {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let (found, next_token) = page(cx, input)?;
        let shape = |l: PrefixList| Shape {
            prefix_list_id: l.id,
            prefix_list_name: l.name,
            cidrs: l.blocks.iter().map(ToString::to_string).collect(),
        };
        Ok(Output { prefix_lists: found.into_iter().map(shape).collect(), next_token })
    }
}

/// A page of the lists that a request names, in the order of their ids, and the token of the next page.
pub(super) fn page(cx: &Cx<'_>, input: Input) -> Result<(Vec<PrefixList>, Option<String>), Error> {
    let found = found(cx, &input.prefix_list_ids, &input.filters)?;
    filters::page(found, |l| l.id.to_owned(), input.next_token, input.max_results)
}

fn found(cx: &Cx<'_>, ids: &[String], filters: &[Filter]) -> Result<Vec<PrefixList>, Error> {
    if let Some(id) = ids.iter().find(|id| prefix_lists::find(cx.config, id).is_none()) {
        return Err(Error::NotFound(Kind::PrefixList, id.clone()));
    }
    let mut found = Vec::new();
    for list in prefix_lists::all(cx.config) {
        let value_of = |name: &str| match name {
            "prefix-list-id" => one(list.id),
            "prefix-list-name" => one(&list.name),
            "owner-id" => one("AWS"),
            _ => None,
        };
        let named = ids.is_empty() || ids.iter().any(|id| id == list.id);
        if filters::passes(filters, &[], value_of)? && named {
            found.push(list);
        }
    }
    found.sort_by_key(|l| l.id);
    Ok(found)
}
