//! What Systems Manager takes, keeps and shows again without effect.

use escale_service::Recorded;

const KEY: &str =
    "The state file is protected by its permissions; encryption with a KMS key adds nothing on one machine";
const TIER: &str = "A tier is what AWS bills by; the larger values of the advanced one are enacted";

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded { name: "*.Tags", reason: "Tags are for who reads them" },
    Recorded { name: "PutParameter.Description", reason: "A text for who reads it" },
    Recorded { name: "PutParameter.KeyId", reason: KEY },
    Recorded { name: "PutParameter.Tier", reason: TIER },
    Recorded { name: "AWS::SSM::Parameter.Tier", reason: TIER },
    Recorded {
        name: "DescribeParameters.Shared",
        reason: "There is one account, hence nothing is shared with it",
    },
];
