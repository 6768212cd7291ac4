//! Parameters that the service stores and shows without effect.

use escale_service::Recorded;

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded { name: "*.Tags", reason: "Tags are stored and returned, and have no other effect" },
    Recorded { name: "*.Comment", reason: "A comment is stored and returned, and has no other effect" },
    Recorded { name: "*.PriceClass", reason: "There is one edge, and it costs nothing" },
    Recorded {
        name: "*.HttpVersion",
        reason: "It decides whether viewers with TLS are offered HTTP/2. HTTP/3 is not served: viewers use an older version",
    },
    Recorded { name: "*.IsIPV6Enabled", reason: "The edge listens on an IPv4 address" },
    Recorded { name: "*.Staging", reason: "'false' is the only accepted value" },
    Recorded {
        name: "*.ViewerCertificate.MinimumProtocolVersion",
        reason: "'TLSv1.3_2025' is enacted. For the others the edge offers TLS 1.2 and 1.3 without CBC suites: AWS's versions \
                 before 1.2 are not offered",
    },
    Recorded {
        name: "*.ViewerCertificate.CertificateSource",
        reason: "A deprecated member, which AWS returns as it was sent",
    },
    Recorded {
        name: "*.OriginSslProtocols",
        reason: "The edge offers TLS 1.2 and 1.3 to origins: AWS's versions before 1.2 are not offered, and a list without 'TLSv1.2' \
                 is refused",
    },
];
