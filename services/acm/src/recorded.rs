//! Parameters that the service stores and shows without effect.

use escale_service::Recorded;

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded { name: "*.Tags", reason: "Tags are stored and returned, and have no other effect" },
    Recorded {
        name: "*.CertificateTransparencyLoggingPreference",
        reason: "Public logs accept certificates of public authorities only; the installation's authority is private",
    },
    Recorded { name: "*.Options.Export", reason: "'DISABLED' is the only accepted value" },
];
