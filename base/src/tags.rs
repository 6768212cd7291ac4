//! Tags: a key and a value that a user puts on a resource.

use serde::{Deserialize, Serialize};

/// One tag, as most services write it: `Key`, `Value`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, escale_derive::Wire)]
#[wire(crate = "crate")]
pub struct Tag {
    pub key: String,
    pub value: String,
}

impl Tag {
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Tag {
        Tag { key: key.into(), value: value.into() }
    }
}

/// Merges `new` into `tags`: an existing key gets the new value.
pub fn merge(tags: &mut Vec<Tag>, new: impl IntoIterator<Item = Tag>) {
    for tag in new {
        match tags.iter_mut().find(|t| t.key == tag.key) {
            Some(old) => old.value = tag.value,
            None => tags.push(tag),
        }
    }
}

/// The value of the tag with this key.
pub fn get<'a>(tags: &'a [Tag], key: &str) -> Option<&'a str> {
    tags.iter().find(|t| t.key == key).map(|t| t.value.as_str())
}
