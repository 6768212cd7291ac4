//! Parameters that CloudFormation stores and shows without effect.

use escale_service::Recorded;

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded {
        name: "CreateChangeSet.IncludeNestedStacks",
        reason: "There are no nested stacks: the type AWS::CloudFormation::Stack is refused",
    },
    Recorded {
        name: "AWS::CDK::Metadata.Analytics",
        reason: "The CDK reports to AWS which constructs are in use; the property creates nothing, here as on AWS",
    },
    Recorded { name: "CreateChangeSet.Description", reason: "A description is for people" },
];

/// `aws cloudformation deploy` calls it for a stack that exists, and continues if nothing changed.
pub(crate) const INCOMPLETE: &[Recorded] = &[Recorded {
    name: "UpdateStack",
    reason: "It only finds out whether anything changed; a change is refused (NotImplemented)",
}];
