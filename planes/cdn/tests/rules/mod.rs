//! The contract of every `Cdn`.

#[path = "../parts/mod.rs"]
mod parts;

use escale_cdn::{Cdn, spec::*};

pub(crate) fn behaviour() -> Behaviour {
    let common = parts::behaviour(ViewerProtocol::Any);
    Behaviour {
        key: Selection { query: Pick::Only(vec!["v".into()]), ..common.key.clone() },
        encodings: Encodings { gzip: true, brotli: false },
        compress: true,
        ..common
    }
}

pub(crate) fn distribution(port: u16) -> DistributionSpec {
    DistributionSpec {
        id: "d1".into(),
        hostnames: vec!["cdn.test".into()],
        default_root: Some("index.html".into()),
        behaviours: Vec::new(),
        default: behaviour(),
        origins: vec![parts::origin(port, true)],
        groups: Vec::new(),
        errors: Vec::new(),
        log: false,
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
    assert!(plane.take_log(10).await.unwrap().is_empty());
    let taken = plane.apply(DistributionSpec { id: "d2".into(), ..spec.clone() }).await.unwrap_err();
    assert!(taken.what.contains("host 'cdn.test' already belongs to distribution 'd1'"), "{taken}");
    let mut wrong = spec;
    wrong.default.origin = "x".into();
    assert!(plane.apply(wrong).await.unwrap_err().what.contains("origin 'x'"));
    plane.remove("d1").await.unwrap();
    plane.remove("d1").await.unwrap();
    assert!(plane.ids().is_empty() && plane.counts("d1").await.unwrap().is_none());
}
