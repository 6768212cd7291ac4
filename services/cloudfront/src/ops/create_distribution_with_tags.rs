//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateDistributionWithTags.html>

use super::create_distribution::{Output, create};
use crate::{Error, check};
use escale_base::{Tag, Wire};
use escale_service::{Also, Cx, Operation};
use escale_tables::cloudfront::DistributionConfig;

pub(crate) struct CreateDistributionWithTags;

#[derive(Wire)]
pub(crate) struct Input {
    pub(crate) distribution_config_with_tags: WithTags,
}

#[derive(Wire)]
pub(crate) struct WithTags {
    pub(crate) distribution_config: DistributionConfig,
    pub(crate) tags: Tags,
}

#[derive(Wire)]
pub(crate) struct Tags {
    pub items: Vec<Tag>,
}

impl Operation for CreateDistributionWithTags {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn also(input: &Input, _cx: &Cx<'_>) -> Vec<Also> {
        check::actions(&input.distribution_config_with_tags.distribution_config)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let WithTags { distribution_config, tags } = input.distribution_config_with_tags;
        create(cx, distribution_config, tags.items)
    }
}
