//! What the service takes, keeps and shows again without effect.

use escale_service::Recorded;

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded { name: "*.Tags", reason: "Tags are for who reads them" },
    Recorded {
        name: "*.Order",
        reason: "It orders authentication before the action that routes; there is one action only",
    },
    Recorded { name: "CreateTargetGroup.IpAddressType", reason: "'ipv4' is the only value taken" },
];
