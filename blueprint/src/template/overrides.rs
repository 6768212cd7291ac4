//! Overrides: values that a user sets directly in the generated template, where the manifest has no key for them.

use crate::{
    manifest::{Manifest, Override},
    problem::{Problem, nearest},
};
use serde_json::{Map, Value};

/// The attributes of a resource beside `Properties`.
const ATTRIBUTES: [&str; 5] =
    ["DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Metadata", "UpdatePolicy"];

pub(super) fn apply(resources: &mut Map<String, Value>, manifest: &Manifest) -> Result<(), Vec<Problem>> {
    let outcomes = manifest.overrides.iter().map(|o| one(resources, manifest, o));
    let problems: Vec<Problem> = outcomes.filter_map(Result::err).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn one(resources: &mut Map<String, Value>, manifest: &Manifest, wanted: &Override) -> Result<(), Problem> {
    let fail = |message: String| Problem::new(&manifest.origin.source, wanted.place, message);
    let (id, path) = wanted.path.split_first().ok_or_else(|| fail("names nothing".into()))?;
    if !resources.contains_key(id) {
        let hint = match nearest(id, resources.keys().map(String::as_str)) {
            Some(word) => format!("did you mean `{word}`?"),
            None => "`escale template` prints all of them".to_owned(),
        };
        return Err(fail(format!("the template has no resource `{id}`")).hint(hint));
    }
    let mut place = &mut resources[id];
    if !path.first().is_some_and(|first| ATTRIBUTES.contains(&first.as_str())) {
        place = &mut place["Properties"];
    }
    for step in path {
        place = match place {
            Value::Array(items) => {
                let count = items.len();
                step.parse::<usize>().ok().and_then(|i| items.get_mut(i)).ok_or_else(|| {
                    fail(format!("`{step}` is not an index of this list, which has {count} items"))
                })?
            }
            Value::Object(members) => {
                members.entry(step.as_str()).or_insert_with(|| Value::Object(Map::new()))
            }
            _ => {
                return Err(fail(format!(
                    "`{step}` cannot be set, because the value before it is neither a map nor a list"
                )));
            }
        };
    }
    *place = wanted.value.clone();
    Ok(())
}
