//! What the service takes, keeps and shows again without effect.

use escale_service::Recorded;

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded { name: "*.Tags", reason: "Tags are for who reads them" },
    Recorded { name: "*.Comment", reason: "Comments are for who reads them" },
    Recorded { name: "*.PriceClass", reason: "There is one edge, and it costs nothing" },
    Recorded {
        name: "*.HttpVersion",
        reason: "Without TLS viewers negotiate nothing: HTTP/1.1 and cleartext HTTP/2 are served",
    },
    Recorded { name: "*.IsIPV6Enabled", reason: "The edge stands at an IPv4 address" },
    Recorded { name: "*.Staging", reason: "'false' is the only value taken" },
    Recorded { name: "*.ViewerCertificate.MinimumProtocolVersion", reason: "Viewers come without TLS" },
    Recorded {
        name: "*.ConnectionAttempts",
        reason: "An origin on the same machine that cannot be reached once cannot be reached",
    },
    Recorded { name: "*.HTTPSPort", reason: "Origins are reached over HTTP" },
    Recorded { name: "*.OriginSslProtocols", reason: "Origins are reached over HTTP" },
    Recorded {
        name: "*.OriginKeepaliveTimeout",
        reason: "The plane keeps idle connections for a fixed time",
    },
];
