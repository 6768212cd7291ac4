//! The change of one resource by a stack's update, as a type's `update` gets it.

use super::{Created, Props};
use escale_base::{AwsError, Tag, wire::Wire};
use std::collections::BTreeSet;

/// A resource and its properties before and after the change.
///
/// `before` has the values that were applied last. A dynamic reference in it is not resolved and a value from a `NoEcho`
/// parameter is hashed, or `null` if it is no text, so use [`Update::changed`] to compare, and `before` only to find what
/// must be removed.
pub struct Update<'a> {
    /// The existing resource.
    pub created: &'a Created,
    pub before: &'a Props<'a>,
    pub after: &'a Props<'a>,
    /// The top-level properties whose values differ. Changed tags of the stack count as a change of the type's tags.
    pub changed: &'a BTreeSet<String>,
    /// Whether the stack returns from a failed update to the properties that the resource had before.
    pub is_rollback: bool,
}

impl Update<'_> {
    pub fn changed(&self, property: &str) -> bool {
        self.changed.contains(property)
    }

    pub fn any_changed(&self, properties: &[&str]) -> bool {
        properties.iter().any(|property| self.changed(property))
    }

    /// The tags to set and the keys to remove, the stack's own tags included. Both are empty if no tag changed.
    pub fn tags(&self) -> Result<(Vec<Tag>, Vec<String>), AwsError> {
        self.tags_in("Tags")
    }

    /// As [`Update::tags`], for a type whose property has another name.
    pub fn tags_in(&self, property: &str) -> Result<(Vec<Tag>, Vec<String>), AwsError> {
        let (before, after) = (self.before.tags_in(property)?, self.after.tags_in(property)?);
        let removed = before.iter().filter(|old| !after.iter().any(|new| new.key == old.key));
        let removed = removed.map(|old| old.key.clone()).collect();
        Ok((after.into_iter().filter(|new| !before.contains(new)).collect(), removed))
    }

    /// The items of a list that must be removed and those that must be added. Items that stay are in neither.
    pub fn list<T: Wire + PartialEq>(&self, property: &str) -> Result<(Vec<T>, Vec<T>), AwsError> {
        let (mut before, mut after): (Vec<T>, Vec<T>) =
            (self.before.read(property)?, self.after.read(property)?);
        // Of equal items the list may have several, so each one that stays is taken out once.
        before.retain(|old| match after.iter().position(|new| new == old) {
            Some(at) => {
                after.remove(at);
                false
            }
            None => true,
        });
        Ok((before, after))
    }
}
