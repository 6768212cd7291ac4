//! What CloudFormation takes, keeps and shows again without effect.

use escale_service::Recorded;

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded {
        name: "CreateChangeSet.IncludeNestedStacks",
        reason: "There are no nested stacks: the type AWS::CloudFormation::Stack is refused",
    },
    Recorded {
        name: "AWS::CDK::Metadata.Analytics",
        reason: "The CDK tells AWS with it which constructs are in use; it makes nothing, there as here",
    },
    Recorded { name: "CreateChangeSet.Description", reason: "Descriptions are for who reads them" },
];
