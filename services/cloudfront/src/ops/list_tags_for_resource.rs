//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ListTagsForResource.html>

use super::create_distribution_with_tags::Tags;
use crate::Error;
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::Distribution;

pub(crate) struct ListTagsForResource;

#[derive(Wire)]
pub(crate) struct Input {
    resource: String,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) tags: Tags,
}

impl Operation for ListTagsForResource {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let id = input.resource.rsplit_once(":distribution/").map_or("", |(_, id)| id);
        let row = cx.tx.get::<Distribution>(id).ok_or_else(|| Error::NoTagged(input.resource.clone()))?;
        Ok(Output { tags: Tags { items: row.tags.clone() } })
    }
}
