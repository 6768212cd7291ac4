//! The parameters that Cloud Map stores and shows without effect, with the reason.

use escale_service::Recorded;

const REPEATED: &str = "A repeated request is found by the name, or by the id of the instance";

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded { name: "*.creatorRequestId", reason: REPEATED },
    Recorded { name: "*.updaterRequestId", reason: "An update that is repeated has the same result" },
    Recorded {
        name: "CreateService.healthCheckCustomConfig",
        reason: "AWS has no other FailureThreshold than 1 since 2025; a reported status counts at once",
    },
];
