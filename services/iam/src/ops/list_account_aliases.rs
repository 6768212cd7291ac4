//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAccountAliases.html>

use crate::Error;
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct ListAccountAliases;

#[derive(Wire)]
pub(crate) struct Input {
    marker: Option<String>,
    max_items: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    account_aliases: Vec<String>,
    is_truncated: bool,
}

impl Operation for ListAccountAliases {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        // The list is always empty, because the operation that creates aliases is refused.
        let _ = (cx, input.max_items);
        match input.marker {
            Some(marker) => Err(Error::Validation(format!("Invalid Marker: {marker}."))),
            None => Ok(Output { account_aliases: Vec::new(), is_truncated: false }),
        }
    }
}
