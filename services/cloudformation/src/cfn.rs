//! The resource types that belong to this service: wait conditions, nested stacks and `AWS::CDK::Metadata`, which creates nothing, as
//! on AWS.

use crate::{nested, wait};
use escale_service::{Created, ResourceType};

pub(crate) fn types() -> Vec<ResourceType> {
    let metadata = ResourceType::new(
        "AWS::CDK::Metadata",
        &["Analytics"],
        |_, props| Ok(Created::new(props.name_or_generated("Name", 128))),
        |_, _| Ok(()),
    );
    [wait::types(), vec![metadata, nested::resource_type()]].concat()
}
