//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListExports.html>

use crate::Error;
use escale_base::{Wire, limits, paging};
use escale_service::{Cx, Operation};
use escale_tables::cloudformation::{Export, ExportName, Stack, StackArn};

pub(crate) struct ListExports;

#[derive(Wire)]
pub(crate) struct Input {
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    exports: Vec<Shape>,
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Shape {
    exporting_stack_id: Option<StackArn>,
    name: ExportName,
    value: String,
}

impl Operation for ListExports {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let shape = |e: std::sync::Arc<Export>| Shape {
            exporting_stack_id: cx.tx.get::<Stack>(&e.stack).map(|s| s.arn.clone()),
            name: e.name.clone(),
            value: e.value.clone(),
        };
        let all = cx.tx.scan::<Export>().map(shape);
        let page =
            paging::page(all, |e| e.name.to_string(), input.next_token.as_deref(), limits::PAGE_DEFAULT)?;
        Ok(Output { exports: page.items, next_token: page.next })
    }
}
