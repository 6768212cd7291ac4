//! Parameters that the service stores and shows without effect.

use escale_service::Recorded;

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded { name: "*.Tags", reason: "Tags are stored and returned, and have no other effect" },
    Recorded {
        name: "*.Order",
        reason: "It orders the authentication action before the routing action; here a rule has only one action",
    },
    Recorded { name: "CreateTargetGroup.IpAddressType", reason: "'ipv4' is the only accepted value" },
];
