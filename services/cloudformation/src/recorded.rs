//! Parameters that CloudFormation stores and shows without effect.

use escale_service::Recorded;

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded {
        name: "AWS::CDK::Metadata.Analytics",
        reason: "The CDK reports to AWS which constructs are in use; the property creates nothing here or on AWS",
    },
    Recorded {
        name: "CreateChangeSet.Description",
        reason: "A description is stored and returned, and has no other effect",
    },
];
