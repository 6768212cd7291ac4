//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListTagsForResources.html>

use crate::choices::TagResourceType;
use crate::{Error, tagging};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct ListTagsForResources;

#[derive(Wire)]
pub(crate) struct Input {
    resource_type: TagResourceType,
    resource_ids: Vec<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    resource_tag_sets: Vec<tagging::TagSet>,
}

impl Operation for ListTagsForResources {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        input.resource_ids.iter().map(|id| crate::rules::zone_arn(id)).collect()
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let zones = input.resource_ids.iter().map(|id| tagging::zone(cx.tx, input.resource_type, id));
        let sets = zones.map(|zone| Ok(tagging::set(&zone?))).collect::<Result<_, Error>>()?;
        Ok(Output { resource_tag_sets: sets })
    }
}
