//! CloudFormation templates, JSON and YAML.

use escale_cloudformation::template::{Origin, parse, tree};
use std::collections::BTreeMap;

pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(template) = parse(text, Origin::File) else { return };
    let tree = tree(text).expect("an accepted template is a tree");
    // The tree in JSON is the same template: GetTemplate and change sets compare it.
    drop(parse(&tree.value().to_string(), Origin::File));
    drop(template.bind(&BTreeMap::new()));
}
