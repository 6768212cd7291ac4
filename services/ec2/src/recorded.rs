//! What EC2 takes, keeps and shows again without effect.

use escale_service::Recorded;

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded { name: "*.TagSpecifications", reason: "Tags are for who reads them" },
    Recorded {
        name: "CreateVpc.InstanceTenancy",
        reason: "Whether hardware is shared with other customers has no meaning on one's own machine",
    },
];
