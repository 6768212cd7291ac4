//! `AWS::CDK::Metadata`, the one type that is CloudFormation's own here. It makes nothing on AWS either.

use escale_service::{Created, Readiness, ResourceType};

pub(crate) fn types() -> Vec<ResourceType> {
    vec![ResourceType {
        name: "AWS::CDK::Metadata",
        properties: &["Analytics"],
        create: |_, props| Ok(Created::new(props.name_or_generated("Name", 128))),
        ready: |_, _| Readiness::ready(),
        delete: |_, _| Ok(()),
        gone: |_, _| Readiness::ready(),
    }]
}
