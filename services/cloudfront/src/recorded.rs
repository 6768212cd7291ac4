//! Parameters that the service stores and shows without effect.

use escale_service::Recorded;

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded { name: "*.Tags", reason: "Tags are stored and returned, and have no other effect" },
    Recorded { name: "*.Comment", reason: "A comment is stored and returned, and has no other effect" },
    Recorded { name: "*.PriceClass", reason: "There is one edge, and it costs nothing" },
    Recorded {
        name: "*.HttpVersion",
        reason: "Viewers negotiate a version with TLS only; here the edge serves HTTP/1.1 and cleartext HTTP/2",
    },
    Recorded { name: "*.IsIPV6Enabled", reason: "The edge listens on an IPv4 address" },
    Recorded { name: "*.Staging", reason: "'false' is the only accepted value" },
    Recorded { name: "*.ViewerCertificate.MinimumProtocolVersion", reason: "Viewers connect without TLS" },
    Recorded {
        name: "*.ConnectionAttempts",
        reason: "Origins are on the same machine, so a second attempt would fail like the first",
    },
    Recorded { name: "*.HTTPSPort", reason: "Origins are reached over HTTP" },
    Recorded { name: "*.OriginSslProtocols", reason: "Origins are reached over HTTP" },
    Recorded {
        name: "*.OriginKeepaliveTimeout",
        reason: "The edge keeps idle connections to origins for a fixed time",
    },
];
