//! The CloudFormation types of EC2. They call EC2's own operations.
//!
//! Attributes and physical ids follow AWS's reference:
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_EC2.html>

mod groups;
mod outside;
mod routes;
mod vpc;

use crate::{choices::ResourceType, shapes::TagSpecification};
use escale_base::AwsError;
use escale_service::{Props, Resources};

pub(crate) fn resources() -> Resources {
    [vpc::TYPES, routes::TYPES, outside::TYPES, groups::TYPES].concat()
}

/// The tags of the template and of the stack, for `TagSpecifications`.
fn tags(props: &Props<'_>, resource_type: ResourceType) -> Result<Vec<TagSpecification>, AwsError> {
    let tags = props.tags()?;
    let given = (!tags.is_empty()).then_some(TagSpecification { resource_type: Some(resource_type), tags });
    Ok(given.into_iter().collect())
}
