//! Reads typed values from the YAML tree, and collects all errors instead of stopping at the first.

use super::Files;
use crate::{
    problem::{Place, Problem, Source, nearest},
    yaml::{Key, Kind, Node, Scalar},
};
use std::{str::FromStr, sync::Arc};

pub(crate) struct Reader {
    pub(crate) source: Arc<Source>,
    pub(crate) problems: Vec<Problem>,
    /// `None` while a manifest is only checked: then no file is read.
    pub(crate) files: Option<Files>,
}

impl Reader {
    pub(crate) fn fault(&mut self, place: Place, message: impl Into<String>) {
        self.problems.push(Problem::new(&self.source, place, message));
    }

    pub(crate) fn fault_hint(&mut self, place: Place, message: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(Problem::new(&self.source, place, message).hint(hint));
    }

    /// The entries of a map; `what` names it in messages.
    pub(crate) fn fields<'n>(&mut self, node: &'n Node, what: impl Into<String>) -> Fields<'n> {
        let what = what.into();
        if !matches!(node.kind, Kind::Map(_)) && !node.is_null() {
            self.fault(node.place, format!("{what} must be a map (`key: value`), not {}", node.noun()));
        }
        Fields { node, place: node.place, what, known: Vec::new() }
    }

    pub(crate) fn text(&mut self, node: &Node, what: &str) -> Option<String> {
        match &node.kind {
            Kind::Scalar(Scalar { text, .. }) if !node.is_null() => Some(text.clone()),
            _ => {
                self.fault(node.place, format!("{what} must be text, not {}", node.noun()));
                None
            }
        }
    }

    pub(crate) fn flag(&mut self, node: &Node, what: &str) -> Option<bool> {
        match &node.kind {
            Kind::Scalar(Scalar { text, plain: true }) if text == "true" => Some(true),
            Kind::Scalar(Scalar { text, plain: true }) if text == "false" => Some(false),
            _ => {
                self.fault(node.place, format!("{what} must be `true` or `false`"));
                None
            }
        }
    }

    pub(crate) fn number(
        &mut self,
        node: &Node,
        what: &str,
        allowed: std::ops::RangeInclusive<u32>,
    ) -> Option<u32> {
        let text = self.text(node, what)?;
        let number = text.parse().ok().filter(|n| allowed.contains(n));
        if number.is_none() {
            let (low, high) = allowed.into_inner();
            self.fault(
                node.place,
                format!("{what} must be a whole number from {low} to {high}, not `{text}`"),
            );
        }
        number
    }

    /// Reads a value with its own grammar; `form` is an example for the hint.
    pub(crate) fn parsed<T: FromStr>(&mut self, node: &Node, what: &str, form: &str) -> Option<T> {
        let text = self.text(node, what)?;
        let value = text.parse().ok();
        if value.is_none() {
            self.fault_hint(
                node.place,
                format!("{what} cannot be `{text}`"),
                format!("write it like {form}"),
            );
        }
        value
    }

    /// Reads one of several keywords.
    pub(crate) fn word<T: Copy>(&mut self, node: &Node, what: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(node, what)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let all: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        self.fault_hint(
            node.place,
            format!("{what} cannot be `{text}`"),
            format!("use one of {}", all.join(", ")),
        );
        None
    }

    pub(crate) fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.kind {
            Kind::List(items) => items,
            _ if node.is_null() => &[],
            _ => {
                self.fault(node.place, format!("{what} must be a list (`[a, b]`), not {}", node.noun()));
                &[]
            }
        }
    }

    /// Reads a list of words without repetitions.
    pub(crate) fn words(&mut self, node: &Node, what: &str) -> Vec<String> {
        self.list(node, what).iter().map(|item| self.text(item, what).unwrap_or_default()).collect()
    }

    /// Checks the name of an environment variable.
    pub(crate) fn variable(&mut self, name: &str, place: Place) {
        if !is_variable_name(name) {
            self.fault_hint(
                place,
                format!("`{name}` is not the name of an environment variable"),
                "use letters, digits and underscores, like `LOG_LEVEL`",
            );
        }
    }

    /// Reads a name that becomes part of AWS names: lower-case letters, digits, hyphens.
    pub(crate) fn name(&mut self, key: &Key, what: &str, longest: usize) -> String {
        let text = &key.text;
        let fits = text.len() <= longest
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && !text.ends_with('-')
            && !text.contains("--");
        if !fits {
            self.fault_hint(
                key.place,
                format!("`{text}` cannot be the name of {what}"),
                format!(
                    "at most {longest} lower-case letters, digits and single hyphens, starting with a letter"
                ),
            );
        }
        text.clone()
    }
}

pub(crate) fn is_variable_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A map that is being read. It records the keys that were taken, so that the rest can be reported as unknown.
pub(crate) struct Fields<'n> {
    node: &'n Node,
    place: Place,
    what: String,
    known: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// The place for errors about missing keys: the map's name, not its content.
    pub(crate) fn point_at(&mut self, place: Place) {
        self.place = place;
    }

    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    pub(crate) fn take(&mut self, key: &'static str) -> Option<&'n Node> {
        self.known.push(key);
        self.node.get(key).filter(|node| !node.is_null())
    }

    /// As [`Fields::take`], with the key.
    pub(crate) fn take_entry(&mut self, key: &'static str) -> Option<&'n (Key, Node)> {
        self.known.push(key);
        self.node.entries().iter().find(|(k, node)| k.text == key && !node.is_null())
    }

    pub(crate) fn require(&mut self, r: &mut Reader, key: &'static str) -> Option<&'n Node> {
        let found = self.take(key);
        if found.is_none() {
            r.fault(self.place, format!("{} needs `{key}`", self.what));
        }
        found
    }

    /// Refuses a key that the manifest format defines and this version does not support.
    pub(crate) fn refuse(&mut self, r: &mut Reader, key: &'static str, instead: &str) {
        if let Some((key, _)) = self.node.entries().iter().find(|(k, _)| k.text == key) {
            r.fault_hint(key.place, format!("`{}` is not supported yet in {}", key.text, self.what), instead);
        }
        self.known.push(key);
    }

    /// Reports every key that was not taken.
    pub(crate) fn finish(self, r: &mut Reader) {
        for (key, _) in self.node.entries().iter().filter(|(k, _)| !self.known.contains(&k.text.as_str())) {
            let hint = match nearest(&key.text, self.known.iter().copied()) {
                Some(word) => format!("did you mean `{word}`?"),
                None => format!("the known keys are {}", self.known.join(", ")),
            };
            r.fault_hint(key.place, format!("unknown key `{}` in {}", key.text, self.what), hint);
        }
    }
}
