//! What IAM takes, keeps and shows again without effect.

use escale_service::Recorded;

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded { name: "CreateRole.Description", reason: "A text for who reads it" },
    Recorded { name: "UpdateRole.Description", reason: "A text for who reads it" },
    Recorded { name: "CreatePolicy.Description", reason: "A text for who reads it" },
    Recorded { name: "CreateServiceLinkedRole.Description", reason: "A text for who reads it" },
    Recorded {
        name: "CreateServiceLinkedRole.AWSServiceName",
        reason: "Services act on their own account here and need no role; it is made so that templates and scripts find it",
    },
    Recorded {
        name: "aws:SecureTransport",
        reason: "This condition key is always true: the API has no TLS yet, and a policy that demands it would lock everybody out",
    },
    Recorded {
        name: "AWS::IAM::AccessKey.Serial",
        reason: "It only tells an update to make another key; a new key is made whenever the resource is",
    },
];
