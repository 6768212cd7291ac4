//! The parameters that IAM stores and shows without effect. `docs/coverage.md` lists the reasons.

use escale_service::Recorded;

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded {
        name: "CreateRole.Description",
        reason: "A description is stored and returned, and has no other effect",
    },
    Recorded {
        name: "UpdateRole.Description",
        reason: "A description is stored and returned, and has no other effect",
    },
    Recorded {
        name: "CreatePolicy.Description",
        reason: "A description is stored and returned, and has no other effect",
    },
    Recorded {
        name: "CreateServiceLinkedRole.Description",
        reason: "A description is stored and returned, and has no other effect",
    },
    Recorded {
        name: "CreateServiceLinkedRole.AWSServiceName",
        reason: "Services need no role here; the role exists for templates and scripts that look it up",
    },
    Recorded {
        name: "AWS::IAM::AccessKey.Serial",
        reason: "It only makes a stack update create another key; each creation of the resource creates a new key",
    },
];
