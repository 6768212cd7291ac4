//! The templates of the tests.

use crate::survey::{Given, Setting, Survey};

pub(crate) const ALL: &[(&str, &str)] = &[
    ("bucket", include_str!("../tests/templates/bucket.json")),
    ("cdk", include_str!("../../tests/clients/templates/cdk-shop.json")),
    ("long-names", include_str!("../tests/templates/long-names.json")),
    ("mesh", include_str!("../tests/templates/mesh.json")),
    ("minimal", include_str!("../tests/templates/minimal.yaml")),
    ("outside", include_str!("../tests/templates/outside.yaml")),
    ("shop", include_str!("../tests/templates/shop.yaml")),
    ("site", include_str!("../tests/templates/site.yaml")),
    ("six-zones", include_str!("../tests/templates/six-zones.json")),
    ("three-zones", include_str!("../tests/templates/three-zones.json")),
    ("two-networks", include_str!("../tests/templates/two-networks.json")),
];

pub(crate) fn setting(region: &str) -> Setting {
    let zones = ["a", "b", "c", "d", "e", "f"].map(|letter| format!("{region}{letter}")).to_vec();
    Setting {
        region: region.to_owned(),
        zones,
        account: "123456789012".to_owned(),
        stack: "sample".to_owned(),
    }
}

pub(crate) fn text(name: &str) -> &'static str {
    ALL.iter().find(|(known, _)| *known == name).expect("a template of this name").1
}

pub(crate) fn survey(name: &str) -> Survey {
    Survey::of_template(text(name), &Given::new(), &setting("us-east-1"))
        .unwrap_or_else(|e| panic!("{name}: {e}"))
}
