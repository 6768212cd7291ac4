//! AWS's enumerations in the configurations.

use escale_base::choice;

choice! { pub enum CertificateSource { Cloudfront = "cloudfront", Iam = "iam", Acm = "acm" } }
choice! {
    pub enum CorsMethod {
        Get = "GET", Post = "POST", Options = "OPTIONS", Put = "PUT", Delete = "DELETE", Patch = "PATCH",
        Head = "HEAD", All = "ALL",
    }
}
choice! { pub enum FrameOption { Deny = "DENY", Sameorigin = "SAMEORIGIN" } }
choice! {
    pub enum GeoRestrictionType { Blacklist = "blacklist", Whitelist = "whitelist", None = "none" }
}
choice! {
    pub enum HttpVersion { Http11 = "http1.1", Http2 = "http2", Http3 = "http3", Http2and3 = "http2and3" }
}
choice! {
    /// The cookies that legacy cache settings forward.
    pub enum ItemSelection { None = "none", Whitelist = "whitelist", All = "all" }
}
choice! {
    /// The headers in a cache key.
    pub enum KeyHeaderSelection { None = "none", Whitelist = "whitelist" }
}
choice! {
    pub enum Method {
        Get = "GET", Head = "HEAD", Post = "POST", Put = "PUT", Patch = "PATCH", Options = "OPTIONS",
        Delete = "DELETE",
    }
}
choice! {
    pub enum MinimumProtocolVersion {
        SSLv3 = "SSLv3", TLSv1 = "TLSv1", TLSv12016 = "TLSv1_2016", TLSv112016 = "TLSv1.1_2016",
        TLSv122018 = "TLSv1.2_2018", TLSv122019 = "TLSv1.2_2019", TLSv122021 = "TLSv1.2_2021",
        TLSv132025 = "TLSv1.3_2025", TLSv122025 = "TLSv1.2_2025",
    }
}
choice! {
    pub enum OriginAccessControlOriginType {
        S3 = "s3", Mediastore = "mediastore", Mediapackagev2 = "mediapackagev2", Lambda = "lambda",
    }
}
choice! { pub enum SigningBehavior { Never = "never", Always = "always", NoOverride = "no-override" } }
choice! { pub enum SigningProtocol { Sigv4 = "sigv4" } }
choice! {
    /// The headers that an origin request policy forwards.
    pub enum OriginHeaderSelection {
        None = "none", Whitelist = "whitelist", AllViewer = "allViewer",
        AllViewerAndWhitelistCloudFront = "allViewerAndWhitelistCloudFront", AllExcept = "allExcept",
    }
}
choice! {
    pub enum OriginProtocolPolicy {
        HttpOnly = "http-only", MatchViewer = "match-viewer", HttpsOnly = "https-only",
    }
}
choice! {
    pub enum PriceClass {
        PriceClass100 = "PriceClass_100", PriceClass200 = "PriceClass_200",
        PriceClassAll = "PriceClass_All", None = "None",
    }
}
choice! {
    pub enum ReferrerPolicyValue {
        NoReferrer = "no-referrer", NoReferrerWhenDowngrade = "no-referrer-when-downgrade", Origin = "origin",
        OriginWhenCrossOrigin = "origin-when-cross-origin", SameOrigin = "same-origin",
        StrictOrigin = "strict-origin", StrictOriginWhenCrossOrigin = "strict-origin-when-cross-origin",
        UnsafeUrl = "unsafe-url",
    }
}
choice! {
    /// The cookies or query parameters that a policy selects.
    pub enum Selection { None = "none", Whitelist = "whitelist", AllExcept = "allExcept", All = "all" }
}
choice! { pub enum SslSupportMethod { SniOnly = "sni-only", Vip = "vip", StaticIp = "static-ip" } }
choice! {
    pub enum SelectionCriteria { Default = "default", MediaQualityBased = "media-quality-based" }
}
choice! {
    pub enum SslProtocol { SSLv3 = "SSLv3", TLSv1 = "TLSv1", TLSv11 = "TLSv1.1", TLSv12 = "TLSv1.2" }
}
choice! {
    pub enum ViewerProtocolPolicy {
        AllowAll = "allow-all", HttpsOnly = "https-only", RedirectToHttps = "redirect-to-https",
    }
}
