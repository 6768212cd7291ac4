//! Parts of distributions that the tests share.

use escale_cdn::spec::*;
use http::Method;
use std::collections::BTreeMap;

/// Caches for 100 s, without a header, cookie or query string in the key.
pub(crate) fn behaviour(viewer: ViewerProtocol) -> Behaviour {
    let none = Selection { headers: Pick::None, cookies: Pick::None, query: Pick::None };
    Behaviour {
        origin: "o".into(),
        viewer,
        allowed_methods: vec![Method::GET, Method::HEAD],
        cached_methods: vec![Method::GET, Method::HEAD],
        ttl: Ttl { min_s: 0, default_s: 100, max_s: 1000 },
        key: none.clone(),
        forward: none,
        encodings: Encodings::default(),
        compress: false,
        trusted_keys: Vec::new(),
        response_headers: ResponseHeaders::default(),
    }
}

/// The origin of these behaviours, on loopback.
pub(crate) fn origin(port: u16, signed: bool) -> Origin {
    Origin {
        id: "o".into(),
        host: "127.0.0.1".into(),
        protocol: OriginProtocol::Http,
        http_port: port,
        https_port: port,
        path: String::new(),
        headers: BTreeMap::new(),
        signed,
        connect_attempts: 1,
        connect_timeout_ms: 1000,
        read_timeout_ms: 5000,
        keepalive_ms: 5000,
    }
}
