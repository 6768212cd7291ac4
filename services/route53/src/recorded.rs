//! Parameters that Route 53 stores or drops without effect.

use escale_service::Recorded;

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded {
        name: "TestDNSAnswer.ResolverIP",
        reason: "No supported routing policy depends on the client",
    },
    Recorded {
        name: "AWS::Route53::RecordSet.Comment",
        reason: "It is the comment of the change that creates the record set; GetChange returns it",
    },
];
