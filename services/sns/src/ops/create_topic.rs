//! <https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html>

use crate::{Error, rules};
use escale_base::{Tag, Wire};
use escale_service::{Cx, Operation};
use escale_tables::sns::{SignatureVersion, Topic, TopicArn};
use std::collections::BTreeMap;

pub(crate) struct CreateTopic;

#[derive(Wire)]
pub(crate) struct Input {
    name: String,
    attributes: BTreeMap<String, String>,
    tags: Vec<Tag>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) topic_arn: TopicArn,
}

impl Operation for CreateTopic {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::topic_arn(cx.config, &input.name).to_string()]
    }

    /// An existing topic with the same attributes and tags is the answer, as on AWS.
    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        rules::check_name(&input.name)?;
        let arn = rules::topic_arn(cx.config, &input.name);
        let mut topic = Topic {
            arn: arn.clone(),
            name: input.name,
            display_name: String::new(),
            policy: None,
            signature_version: SignatureVersion::One,
            tags: input.tags,
            created: cx.now,
        };
        if let Some(old) = cx.tx.get::<Topic>(&arn) {
            let mut wanted = (*old).clone();
            for (name, value) in &input.attributes {
                rules::set_attribute(&mut wanted, name, value)?;
            }
            if wanted != *old {
                return Err(Error::Invalid(
                    "Attributes Reason: Topic already exists with different attributes".into(),
                ));
            }
            if !topic.tags.is_empty() && topic.tags != old.tags {
                return Err(Error::Invalid("Tags Reason: Topic already exists with different tags".into()));
            }
            return Ok(Output { topic_arn: arn });
        }
        for (name, value) in &input.attributes {
            rules::set_attribute(&mut topic, name, value)?;
        }
        cx.tx.put(topic);
        Ok(Output { topic_arn: arn })
    }
}
