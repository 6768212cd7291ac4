//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetManagedPrefixListEntries.html>

use crate::{Error, error::Kind, filters, prefix_lists};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct GetManagedPrefixListEntries;

#[derive(Wire)]
pub(crate) struct Input {
    prefix_list_id: String,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    entries: Vec<Entry>,
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Entry {
    cidr: String,
}

impl Operation for GetManagedPrefixListEntries {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let list = prefix_lists::find(cx.config, &input.prefix_list_id);
        let list = list.ok_or(Error::NotFound(Kind::PrefixList, input.prefix_list_id))?;
        let all = list.blocks.iter().map(|b| Entry { cidr: b.to_string() }).collect();
        let (entries, next_token) =
            filters::page(all, |e| e.cidr.clone(), input.next_token, input.max_results)?;
        Ok(Output { entries, next_token })
    }
}
