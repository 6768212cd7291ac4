//! CloudFormation: `AWS::SSM::Parameter`. Its `Ref` is the name.

use crate::ops::{delete_parameter::DeleteParameter, put_parameter::PutParameter};
use escale_base::{AwsError, ErrorKind, Tag};
use escale_service::{Created, Cx, Props, ResourceType};
use std::collections::BTreeMap;

pub(crate) fn types() -> Vec<ResourceType> {
    vec![ResourceType::new(
        "AWS::SSM::Parameter",
        &["Name", "Type", "Value", "Description", "AllowedPattern", "Tier", "DataType", "Tags"],
        create,
        |cx, created| created.delete_by::<DeleteParameter>(cx, "Name"),
    )]
}

fn create(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let (kind, value) = (props.text("Type")?, props.read::<String>("Value")?);
    if kind == "SecureString" {
        let what = "AWS::SSM::Parameter does not support the type SecureString. Use a Secrets Manager secret";
        return Err(AwsError::new(ErrorKind::Invalid, "ValidationException", 400, what));
    }
    let name = props.name_or_generated("Name", 128);
    let input = props.input_without::<PutParameter>(&["Name", "Tags"]);
    input.with("Name", &name).with("Tags", &tags(props)?).call(cx)?;
    Ok(Created::new(name).with("Type", kind).with("Value", value))
}

/// The tags. Unlike other types, this one has them as a map.
fn tags(props: &Props<'_>) -> Result<Vec<Tag>, AwsError> {
    let mut tags = props.stack_tags.to_vec();
    let own = props.read::<BTreeMap<String, String>>("Tags")?;
    escale_base::tags::merge(&mut tags, own.into_iter().map(|(key, value)| Tag::new(key, value)));
    Ok(tags)
}
