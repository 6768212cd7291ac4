//! <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>

use crate::{
    Error,
    publish::{self, Message},
    rules,
};
use escale_base::{AwsError, Wire, ids};
use escale_service::{Cx, Operation};
use escale_tables::sns::{Attribute, TopicArn};
use std::collections::BTreeMap;

pub(crate) struct Publish;

#[derive(Wire)]
pub(crate) struct Input {
    topic_arn: Option<TopicArn>,
    subject: Option<String>,
    message: String,
    message_structure: Option<String>,
    message_attributes: BTreeMap<String, AttributeInput>,
}

#[derive(Wire)]
struct AttributeInput {
    data_type: String,
    string_value: Option<String>,
    binary_value: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    message_id: String,
}

/// AWS's largest message, with its attributes.
const BYTES: usize = 262_144;

impl Operation for Publish {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        input.topic_arn.iter().map(ToString::to_string).collect()
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let arn = input.topic_arn.as_ref();
        let arn = arn.ok_or_else(|| {
            Error::Invalid("TopicArn or TargetArn Reason: no value for required parameter".into())
        })?;
        let topic = rules::topic(cx.tx, arn)?;
        check(&input)?;
        let (default, texts) = texts(&input)?;
        let id = ids::random_uuid();
        let attributes = attributes(input.message_attributes)?;
        let message = Message { id: id.clone(), subject: input.subject, texts, default, attributes };
        publish::publish(cx, &topic, &message)?;
        Ok(Output { message_id: id })
    }
}

fn check(input: &Input) -> Result<(), Error> {
    if input.message.is_empty() {
        return Err(Error::Invalid("Empty message".into()));
    }
    let size = |(name, a): (&String, &AttributeInput)| {
        let value = a.string_value.as_ref().or(a.binary_value.as_ref());
        name.len() + a.data_type.len() + value.map_or(0, String::len)
    };
    if input.message.len() + input.message_attributes.iter().map(size).sum::<usize>() > BYTES {
        return Err(Error::Invalid("Message too long".into()));
    }
    if let Some(subject) = &input.subject {
        let is_valid = (1..=100).contains(&subject.chars().count()) && !subject.contains(char::is_control);
        if !is_valid {
            return Err(Error::Invalid("Subject".into()));
        }
    }
    Ok(())
}

/// With the structure `json`, the message is an object with a text for each protocol.
fn texts(input: &Input) -> Result<(String, BTreeMap<String, String>), Error> {
    match input.message_structure.as_deref() {
        None => Ok((input.message.clone(), BTreeMap::new())),
        Some("json") => {
            let unreadable =
                || Error::Invalid("Message Structure - JSON message body failed to parse".into());
            let mut texts: BTreeMap<String, String> =
                serde_json::from_str(&input.message).map_err(|_| unreadable())?;
            let missing =
                || Error::Invalid("Message Structure - No default entry in JSON message body".into());
            Ok((texts.remove("default").ok_or_else(missing)?, texts))
        }
        Some(other) => Err(Error::Invalid(format!("Message Structure: {other} is not json"))),
    }
}

fn attributes(given: BTreeMap<String, AttributeInput>) -> Result<BTreeMap<String, Attribute>, Error> {
    let one = |(name, a): (String, AttributeInput)| {
        let kind = a.data_type.split('.').next().unwrap_or_default();
        let value = match kind {
            "String" | "Number" => a.string_value,
            "Binary" => a.binary_value,
            _ => {
                let what = format_args!("The data type {} of the message attribute {name}", a.data_type);
                return Err(AwsError::not_supported(what).hint("Use String, Number or Binary.").into());
            }
        };
        let missing = || {
            Error::Invalid(format!(
                "The message attribute '{name}' must contain non-empty message attribute value."
            ))
        };
        let value = value.filter(|v| !v.is_empty()).ok_or_else(missing)?;
        Ok((name.clone(), Attribute { data_type: a.data_type, value }))
    };
    given.into_iter().map(one).collect()
}
