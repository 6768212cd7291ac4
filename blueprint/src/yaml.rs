//! Reads the YAML of a manifest. Tags, anchors and aliases are refused, because each of them hides from a reader what the manifest says.

use crate::problem::{Place, Problem, Source};
use escale_tree::{Fault, Options, Problem as Why};
pub(crate) use escale_tree::{Key, Kind, Node, Scalar};
use std::sync::Arc;

const OPTIONS: Options = Options { depth: 33, tags: false, anchors: false, repeated_keys: false };

pub(crate) fn parse(source: &Arc<Source>) -> Result<Node, Problem> {
    let mut root = escale_tree::yaml(&source.text, OPTIONS).map_err(|fault| refused(source, fault))?;
    place_nulls(&mut root);
    Ok(root)
}

fn refused(source: &Arc<Source>, fault: Fault) -> Problem {
    let start = Place { line: 1, column: 1, length: 1 };
    let (place, message) = match fault.problem {
        Why::Empty => (start, "the manifest is empty".to_owned()),
        Why::NotYaml(why) => (fault.place, format!("not YAML: {why}")),
        Why::SecondDocument => (
            fault.place,
            "a manifest must be a single YAML document, and a second one starts here".to_owned(),
        ),
        Why::TooDeep => (fault.place, "the manifest is nested too deeply".to_owned()),
        Why::Merge => (fault.place, "merges (`<<`) are not supported: repeat the values instead".to_owned()),
        Why::Anchor | Why::Alias => {
            (fault.place, "anchors and aliases are not supported: repeat the value instead".to_owned())
        }
        Why::Tag => (fault.place, "tags (`!…`) are not supported in a manifest".to_owned()),
        Why::KeyIsNoScalar => (fault.place, "a key must be a single word".to_owned()),
        Why::RepeatedKey(key) => (fault.place, format!("the key `{key}` is repeated")),
    };
    Problem::new(source, place, message)
}

/// An empty value has no place of its own, so errors point at its key.
fn place_nulls(node: &mut Node) {
    match &mut node.kind {
        Kind::Scalar(_) => {}
        Kind::List(items) => items.iter_mut().for_each(place_nulls),
        Kind::Map(entries) => {
            for (key, value) in entries {
                place_nulls(value);
                if value.is_null() {
                    value.place = key.place;
                }
            }
        }
    }
}
