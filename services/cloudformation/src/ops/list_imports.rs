//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListImports.html>

use crate::{Error, find};
use escale_base::{Wire, limits, paging};
use escale_service::{Cx, Operation};
use escale_tables::cloudformation::{ExportName, StackName};

pub(crate) struct ListImports;

#[derive(Wire)]
pub(crate) struct Input {
    export_name: ExportName,
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    imports: Vec<StackName>,
    next_token: Option<String>,
}

impl Operation for ListImports {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let names = find::importers(cx.tx, &input.export_name);
        if names.is_empty() {
            let name = input.export_name;
            return Err(Error::invalid(format!("Export '{name}' is not imported by any stack.")));
        }
        let page =
            paging::page(names, |name| name.to_string(), input.next_token.as_deref(), limits::PAGE_DEFAULT)?;
        Ok(Output { imports: page.items, next_token: page.next })
    }
}
