//! Parameters that CloudWatch Logs stores and returns but that have no effect.

use escale_service::Recorded;

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded {
        name: "CreateLogGroup.logGroupClass",
        reason: "The class determines the price and the features of paid analysis, and Escale has neither",
    },
    Recorded {
        name: "AWS::Logs::LogGroup.LogGroupClass",
        reason: "The class determines the price and the features of paid analysis, and Escale has neither",
    },
    Recorded {
        name: "PutLogEvents.sequenceToken",
        reason: "Since 2023 AWS accepts any token and always appends",
    },
    Recorded { name: "FilterLogEvents.interleaved", reason: "AWS always interleaves" },
    Recorded { name: "DescribeLogGroups.includeLinkedAccounts", reason: "Escale has only one account" },
    Recorded {
        name: "GetLogEvents.unmask, FilterLogEvents.unmask",
        reason: "Only a data protection policy masks data, and Escale has none",
    },
];
