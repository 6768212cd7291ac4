//! `AWS::CDK::Metadata`, the only resource type that belongs to this service. It creates nothing, as on AWS.

use escale_service::{Created, ResourceType};

pub(crate) fn types() -> Vec<ResourceType> {
    vec![ResourceType::new(
        "AWS::CDK::Metadata",
        &["Analytics"],
        |_, props| Ok(Created::new(props.name_or_generated("Name", 128))),
        |_, _| Ok(()),
    )]
}
