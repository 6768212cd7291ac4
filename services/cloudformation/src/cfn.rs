//! `AWS::CDK::Metadata`, the one type that is CloudFormation's own here. It makes nothing on AWS either.

use escale_service::{Created, ResourceType};

pub(crate) fn types() -> Vec<ResourceType> {
    vec![ResourceType::new(
        "AWS::CDK::Metadata",
        &["Analytics"],
        |_, props| Ok(Created::new(props.name_or_generated("Name", 128))),
        |_, _| Ok(()),
    )]
}
