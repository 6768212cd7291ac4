//! What CloudWatch Logs takes, keeps and shows again without effect.

use escale_service::Recorded;

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded {
        name: "CreateLogGroup.logGroupClass",
        reason: "The class sets a price and which features of paid analysis are there; none of both exists here",
    },
    Recorded {
        name: "AWS::Logs::LogGroup.LogGroupClass",
        reason: "The class sets a price and which features of paid analysis are there; none of both exists here",
    },
    Recorded {
        name: "PutLogEvents.sequenceToken",
        reason: "AWS takes any token since 2023 and appends in any case",
    },
    Recorded { name: "FilterLogEvents.interleaved", reason: "AWS always interleaves, whatever is asked" },
    Recorded { name: "DescribeLogGroups.includeLinkedAccounts", reason: "There is one account" },
    Recorded {
        name: "GetLogEvents.unmask, FilterLogEvents.unmask",
        reason: "Nothing is masked without a data protection policy, and there are none",
    },
];
