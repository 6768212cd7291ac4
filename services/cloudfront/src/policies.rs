//! AWS's managed policies, with AWS's ids.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html>,
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-origin-request-policies.html>

use escale_cdn::spec::{Pick, Selection, Ttl};
use escale_tables::cloudfront::{CachePolicyId, OriginRequestPolicyId};

/// A selection of names, convertible to AWS's enumerations and to the plane's type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Choose {
    None,
    All,
    Only(&'static [&'static str]),
    Except(&'static [&'static str]),
}

impl Choose {
    pub(crate) fn pick(self) -> Pick {
        let own = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        match self {
            Choose::None => Pick::None,
            Choose::All => Pick::All,
            Choose::Only(names) => Pick::Only(own(names)),
            Choose::Except(names) => Pick::AllExcept(own(names)),
        }
    }

    pub(crate) fn names(self) -> &'static [&'static str] {
        match self {
            Choose::None | Choose::All => &[],
            Choose::Only(names) | Choose::Except(names) => names,
        }
    }

    pub(crate) fn selection(self) -> SelectionWord {
        match self {
            Choose::None => SelectionWord::None,
            Choose::All => SelectionWord::All,
            Choose::Only(_) => SelectionWord::Whitelist,
            Choose::Except(_) => SelectionWord::AllExcept,
        }
    }

    /// For headers, AWS calls `all` `allViewer`.
    pub(crate) fn headers(self) -> HeaderSelection {
        match self {
            Choose::None => HeaderSelection::None,
            Choose::All => HeaderSelection::AllViewer,
            Choose::Only(_) => HeaderSelection::Whitelist,
            Choose::Except(_) => HeaderSelection::AllExcept,
        }
    }

    /// For the headers of a cache key, which can only be none or a list.
    pub(crate) fn key_headers(self) -> KeyHeaderSelection {
        match self {
            Choose::Only(_) => KeyHeaderSelection::Whitelist,
            Choose::None | Choose::All | Choose::Except(_) => KeyHeaderSelection::None,
        }
    }
}

escale_base::choice! {
    pub(crate) enum SelectionWord { None = "none", Whitelist = "whitelist", AllExcept = "allExcept", All = "all" }
}
escale_base::choice! {
    pub(crate) enum HeaderSelection {
        None = "none", Whitelist = "whitelist", AllViewer = "allViewer", AllExcept = "allExcept",
    }
}
escale_base::choice! { pub(crate) enum KeyHeaderSelection { None = "none", Whitelist = "whitelist" } }
escale_base::choice! {
    /// The owner of a policy.
    pub(crate) enum PolicyType { Managed = "managed", Custom = "custom" }
}

pub(crate) struct CachePolicy {
    pub id: &'static str,
    pub name: &'static str,
    pub comment: &'static str,
    pub ttl: Ttl,
    /// Whether the cache key distinguishes compressed forms. Without it the edge does not compress.
    pub compressed: bool,
    pub headers: Choose,
    pub cookies: Choose,
    pub query: Choose,
}

const DAY: u64 = 86_400;
const YEAR: u64 = 31_536_000;
const ORIGIN_DECIDES: Choose =
    Choose::Only(&["host", "origin", "x-http-method", "x-http-method-override", "x-method-override"]);

/// Sorted by id, as paging requires.
pub(crate) const CACHE: &[CachePolicy] = &[
    CachePolicy {
        id: "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
        name: "Managed-CachingDisabled",
        comment: "Policy with caching disabled",
        ttl: Ttl { min_s: 0, default_s: 0, max_s: 0 },
        compressed: false,
        headers: Choose::None,
        cookies: Choose::None,
        query: Choose::None,
    },
    CachePolicy {
        id: "4cc15a8a-d715-48a4-82b8-cc0b614638fe",
        name: "UseOriginCacheControlHeaders-QueryStrings",
        comment: "Policy for origins that return Cache-Control headers and serve different content based on values \
                  present in the query string.",
        ttl: Ttl { min_s: 0, default_s: 0, max_s: YEAR },
        compressed: true,
        headers: ORIGIN_DECIDES,
        cookies: Choose::All,
        query: Choose::All,
    },
    CachePolicy {
        id: "658327ea-f89d-4fab-a63d-7e88639e58f6",
        name: "Managed-CachingOptimized",
        comment: "Policy with caching enabled. Supports Gzip and Brotli compression.",
        ttl: Ttl { min_s: 1, default_s: DAY, max_s: YEAR },
        compressed: true,
        headers: Choose::None,
        cookies: Choose::None,
        query: Choose::None,
    },
    CachePolicy {
        id: "83da9c7e-98b4-4e11-a168-04f0df8e2c65",
        name: "UseOriginCacheControlHeaders",
        comment: "Policy for origins that return Cache-Control headers. Query strings are not included in the cache key.",
        ttl: Ttl { min_s: 0, default_s: 0, max_s: YEAR },
        compressed: true,
        headers: ORIGIN_DECIDES,
        cookies: Choose::All,
        query: Choose::None,
    },
    CachePolicy {
        id: "b2884449-e4de-46a7-ac36-70bc7f1ddd6d",
        name: "Managed-CachingOptimizedForUncompressedObjects",
        comment: "Default policy when compression is disabled",
        ttl: Ttl { min_s: 1, default_s: DAY, max_s: YEAR },
        compressed: false,
        headers: Choose::None,
        cookies: Choose::None,
        query: Choose::None,
    },
];

pub(crate) struct RequestPolicy {
    pub id: &'static str,
    pub name: &'static str,
    pub comment: &'static str,
    pub headers: Choose,
    pub cookies: Choose,
    pub query: Choose,
}

/// Sorted by id, as paging requires.
pub(crate) const REQUEST: &[RequestPolicy] = &[
    RequestPolicy {
        id: "216adef6-5c7f-47e4-b989-5492eafa07d3",
        name: "Managed-AllViewer",
        comment: "Policy to forward all parameters in viewer requests",
        headers: Choose::All,
        cookies: Choose::All,
        query: Choose::All,
    },
    RequestPolicy {
        id: "59781a5b-3903-41f3-afcb-af62929ccde1",
        name: "Managed-CORS-CustomOrigin",
        comment: "Policy for CORS with custom origins",
        headers: Choose::Only(&["origin"]),
        cookies: Choose::None,
        query: Choose::None,
    },
    RequestPolicy {
        id: "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf",
        name: "Managed-CORS-S3Origin",
        comment: "Policy for S3 origin with CORS",
        headers: Choose::Only(&["origin", "access-control-request-headers", "access-control-request-method"]),
        cookies: Choose::None,
        query: Choose::None,
    },
    RequestPolicy {
        id: "acba4595-bd28-49b8-b9fe-13317c0390fa",
        name: "Managed-UserAgentRefererHeaders",
        comment: "Policy to forward user-agent and referer headers to origin",
        headers: Choose::Only(&["user-agent", "referer"]),
        cookies: Choose::None,
        query: Choose::None,
    },
    RequestPolicy {
        id: "b689b0a8-53d0-40ab-baf2-68738e2966ac",
        name: "Managed-AllViewerExceptHostHeader",
        comment: "Policy to forward all parameters in viewer requests except for the Host header",
        headers: Choose::Except(&["host"]),
        cookies: Choose::All,
        query: Choose::All,
    },
];

pub(crate) fn cache(id: &CachePolicyId) -> Option<&'static CachePolicy> {
    CACHE.iter().find(|p| p.id == id)
}

pub(crate) fn request(id: &OriginRequestPolicyId) -> Option<&'static RequestPolicy> {
    REQUEST.iter().find(|p| p.id == id)
}

pub(crate) fn selection(headers: Choose, cookies: Choose, query: Choose) -> Selection {
    Selection { headers: headers.pick(), cookies: cookies.pick(), query: query.pick() }
}
