//! The contract of every `Cdn`.

use escale_cdn::{Cdn, spec::*};
use http::Method;
use std::collections::BTreeMap;

pub(crate) fn behaviour() -> Behaviour {
    let none = Selection { headers: Pick::None, cookies: Pick::None, query: Pick::None };
    Behaviour {
        origin: "o".into(),
        viewer: ViewerProtocol::Any,
        allowed_methods: vec![Method::GET, Method::HEAD],
        cached_methods: vec![Method::GET, Method::HEAD],
        ttl: Ttl { min_s: 0, default_s: 100, max_s: 1000 },
        key: Selection { query: Pick::Only(vec!["v".into()]), ..none.clone() },
        forward: none,
        compress: true,
        trusted_keys: Vec::new(),
    }
}

pub(crate) fn distribution(port: u16) -> DistributionSpec {
    DistributionSpec {
        id: "d1".into(),
        hostnames: vec!["cdn.test".into()],
        default_root: Some("index.html".into()),
        behaviours: Vec::new(),
        default: behaviour(),
        origins: vec![Origin {
            id: "o".into(),
            host: "127.0.0.1".into(),
            port,
            path: String::new(),
            headers: BTreeMap::new(),
            signed: true,
            connect_timeout_ms: 1000,
            read_timeout_ms: 5000,
        }],
        errors: Vec::new(),
        tls: None,
    }
}

pub(crate) async fn keeps_the_contract(plane: &dyn Cdn) {
    let spec = distribution(9);
    plane.apply(spec.clone()).await.unwrap();
    plane.apply(spec.clone()).await.unwrap();
    assert_eq!(plane.ids(), ["d1"]);
    assert_eq!(plane.counts("d1").await.unwrap().unwrap().hits, 0);
    assert_eq!(plane.invalidate("d1", &["/*".into()]).await.unwrap(), 0);
    assert!(plane.invalidate("d1", &["/*.png".into()]).await.unwrap_err().what.contains("/*.png"));
    assert!(plane.invalidate("no", &["/*".into()]).await.unwrap_err().what.contains("'no'"));
    let taken = plane.apply(DistributionSpec { id: "d2".into(), ..spec.clone() }).await.unwrap_err();
    assert!(taken.what.contains("host 'cdn.test' already belongs to distribution 'd1'"), "{taken}");
    let mut wrong = spec;
    wrong.default.origin = "x".into();
    assert!(plane.apply(wrong).await.unwrap_err().what.contains("origin 'x'"));
    plane.remove("d1").await.unwrap();
    plane.remove("d1").await.unwrap();
    assert!(plane.ids().is_empty() && plane.counts("d1").await.unwrap().is_none());
}
