//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ListTagsForResource.html>

use crate::{
    Error,
    filters::{self, Filter},
    tags,
};
use escale_base::{Tag, Wire};
use escale_service::{Cx, Operation};

pub(crate) struct ListTagsForResource;

#[derive(Wire)]
pub(crate) struct Input {
    resource_name: String,
    filters: Vec<Filter>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) tag_list: Vec<Tag>,
}

impl Operation for ListTagsForResource {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.resource_name.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        filters::passes(&input.filters, |_| None)?;
        Ok(Output { tag_list: tags::of(cx.tx, &input.resource_name)? })
    }
}
