//! `escale.yaml`, and the template that is generated from it.

use escale_blueprint::{Manifest, template};

pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(manifest) = Manifest::parse(text, "escale.yaml") else { return };
    for environment in ["local", "staging"] {
        let Ok(manifest) = manifest.for_environment(environment) else { continue };
        if let Ok(template) = template(&manifest) {
            let text = template.to_json_min();
            let read =
                escale_cloudformation::template::parse(&text, escale_cloudformation::template::Origin::File);
            assert!(read.is_ok(), "the template of an accepted manifest is refused: {:?}", read.err());
        }
    }
}
