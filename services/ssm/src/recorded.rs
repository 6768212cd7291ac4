//! Parameters that Systems Manager stores and returns but that have no effect.

use escale_service::Recorded;

const KEY: &str =
    "File permissions protect the state file; encryption with a KMS key adds nothing on one machine";
const TIER: &str = "AWS bills by tier; the larger values of the tier Advanced are enacted";

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded { name: "*.Tags", reason: "Tags describe the resource and do not change it" },
    Recorded { name: "PutParameter.Description", reason: "A description does not change the resource" },
    Recorded { name: "PutParameter.KeyId", reason: KEY },
    Recorded { name: "PutParameter.Tier", reason: TIER },
    Recorded { name: "AWS::SSM::Parameter.Tier", reason: TIER },
    Recorded {
        name: "DescribeParameters.Shared",
        reason: "Escale has only one account, so nothing is shared with it",
    },
];
