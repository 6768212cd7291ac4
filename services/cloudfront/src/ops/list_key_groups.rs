//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ListKeyGroups.html>

use super::create_key_group::{Shape, shape};
use crate::{
    Error,
    rules::{self, List},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::KeyGroup;

pub(crate) struct ListKeyGroups;

#[derive(Wire)]
pub(crate) struct Input {
    marker: Option<String>,
    max_items: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    key_group_list: List<Summary>,
}

#[derive(Wire)]
pub(crate) struct Summary {
    key_group: Shape,
}

impl Operation for ListKeyGroups {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let max = input.max_items.as_deref();
        let page = rules::page::<KeyGroup>(cx.tx, |_| true, input.marker.as_deref(), max)?;
        let key_group_list = List::of(page, max, |r| Summary { key_group: shape(r) })?;
        Ok(Output { key_group_list })
    }
}
