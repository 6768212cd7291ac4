//! AWS's enumerations that no row stores.

use escale_base::choice;

choice! { pub(crate) enum HostedZoneType { PrivateHostedZone = "PrivateHostedZone" } }
choice! { pub(crate) enum TagResourceType { Healthcheck = "healthcheck", Hostedzone = "hostedzone" } }
choice! {
    pub(crate) enum RRType {
        Soa = "SOA", A = "A", Txt = "TXT", Ns = "NS", Cname = "CNAME", Mx = "MX", Naptr = "NAPTR",
        Ptr = "PTR", Srv = "SRV", Spf = "SPF", Aaaa = "AAAA", Caa = "CAA", Ds = "DS", Tlsa = "TLSA",
        Sshfp = "SSHFP", Svcb = "SVCB", Https = "HTTPS",
    }
}
choice! {
    pub(crate) enum ResettableElementName {
        FullyQualifiedDomainName = "FullyQualifiedDomainName", Regions = "Regions", ResourcePath = "ResourcePath",
        ChildHealthChecks = "ChildHealthChecks",
    }
}
