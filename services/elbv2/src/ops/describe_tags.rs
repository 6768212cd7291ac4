//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html>

use crate::{Error, rules};
use escale_base::{Tag, Wire};
use escale_service::{Cx, Operation};

pub(crate) struct DescribeTags;

#[derive(Wire)]
pub(crate) struct Input {
    resource_arns: Vec<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) tag_descriptions: Vec<Description>,
}

#[derive(Wire)]
pub(crate) struct Description {
    resource_arn: String,
    pub(crate) tags: Vec<Tag>,
}

impl Operation for DescribeTags {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let describe = |arn: String| Ok(Description { tags: tags(cx, &arn)?, resource_arn: arn });
        let tag_descriptions = input.resource_arns.into_iter().map(describe).collect::<Result<_, Error>>()?;
        Ok(Output { tag_descriptions })
    }
}

fn tags(cx: &Cx<'_>, arn: &str) -> Result<Vec<Tag>, Error> {
    match arn.split(':').nth(5).and_then(|r| r.split('/').next()) {
        Some("loadbalancer") => Ok(rules::load_balancer(cx, arn)?.tags.clone()),
        Some("targetgroup") => Ok(rules::target_group(cx, arn)?.tags.clone()),
        Some("listener") => Ok(rules::listener(cx, arn)?.tags.clone()),
        Some("listener-rule") => Ok(rules::rule(cx, arn)?.tags.clone()),
        _ => Err(Error::NoTagged(arn.to_owned())),
    }
}
