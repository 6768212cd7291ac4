//! AWS's enumerations that no row stores.

use escale_base::choice;

choice! {
    pub(crate) enum CertificateStatus {
        PendingValidation = "PENDING_VALIDATION", Issued = "ISSUED", Inactive = "INACTIVE",
        Expired = "EXPIRED", ValidationTimedOut = "VALIDATION_TIMED_OUT", Revoked = "REVOKED",
        Failed = "FAILED",
    }
}
choice! {
    pub(crate) enum CertificateType {
        Imported = "IMPORTED", AmazonIssued = "AMAZON_ISSUED", Private = "PRIVATE",
    }
}
choice! { pub(crate) enum ValidationMethod { Email = "EMAIL", Dns = "DNS", Http = "HTTP" } }
choice! {
    pub(crate) enum DomainStatus {
        PendingValidation = "PENDING_VALIDATION", Success = "SUCCESS", Failed = "FAILED",
    }
}
choice! { pub(crate) enum RecordType { Cname = "CNAME" } }
choice! {
    pub(crate) enum RenewalStatus {
        PendingAutoRenewal = "PENDING_AUTO_RENEWAL", PendingValidation = "PENDING_VALIDATION",
        Success = "SUCCESS", Failed = "FAILED",
    }
}
choice! { pub(crate) enum RenewalEligibility { Eligible = "ELIGIBLE", Ineligible = "INELIGIBLE" } }
choice! { pub(crate) enum Switch { Enabled = "ENABLED", Disabled = "DISABLED" } }
choice! {
    pub(crate) enum KeyUsageName { DigitalSignature = "DIGITAL_SIGNATURE", KeyEncipherment = "KEY_ENCIPHERMENT" }
}
choice! { pub(crate) enum ExtendedKeyUsageName { TlsWebServerAuthentication = "TLS_WEB_SERVER_AUTHENTICATION" } }
choice! { pub(crate) enum SortBy { CreatedAt = "CREATED_AT" } }
choice! { pub(crate) enum SortOrder { Ascending = "ASCENDING", Descending = "DESCENDING" } }
