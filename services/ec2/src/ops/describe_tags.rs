//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeTags.html>

use crate::{
    Error,
    choices::ResourceType,
    filters::{self, Filter, one},
    tagged,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct DescribeTags;

#[derive(Wire)]
pub(crate) struct Input {
    filters: Vec<Filter>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    tags: Vec<Shape>,
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Shape {
    key: String,
    value: String,
    resource_id: String,
    resource_type: ResourceType,
}

impl Operation for DescribeTags {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut found = Vec::new();
        for (resource_type, resource_id, tag) in tagged::all(cx.tx) {
            let value_of = |name: &str| match name {
                "key" => one(&tag.key),
                "value" => one(&tag.value),
                "resource-id" => one(&resource_id),
                "resource-type" => one(resource_type.as_str()),
                _ => None,
            };
            if filters::passes(&input.filters, std::slice::from_ref(&tag), value_of)? {
                found.push(Shape { key: tag.key, value: tag.value, resource_id, resource_type });
            }
        }
        let key = |t: &Shape| format!("{}/{}", t.resource_id, t.key);
        // `tagged::all` is ordered by type, but pages are cut by this key.
        found.sort_by_key(key);
        let (tags, next_token) = filters::page(found, key, input.next_token, input.max_results)?;
        Ok(Output { tags, next_token })
    }
}
