//! What Route 53 takes, keeps and shows again, or drops, without effect.

use escale_service::Recorded;

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded {
        name: "ChangeResourceRecordSets.EvaluateTargetHealth",
        reason: "Of a simple alias: AWS answers the only record there is whether it is healthy or not",
    },
    Recorded { name: "TestDNSAnswer.ResolverIP", reason: "No supported routing policy depends on who asks" },
    Recorded {
        name: "AWS::Route53::RecordSet.Comment",
        reason: "It comments the change that creates the record set; GetChange shows it",
    },
];
