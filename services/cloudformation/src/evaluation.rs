//! Evaluates the properties of a content's resources, both as their services get them and as the stack stores them.
//!
//! The stored form is compared at the next update. It contains no secret: dynamic references stay references, and the value of a
//! `NoEcho` parameter becomes a hash.

use crate::{
    Error, events, nested, scope,
    template::{self, Environment, EvaluateError, Parameters, Pseudo, Scope, Template},
};
use escale_tables::cloudformation::{Content, StackUuid};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, sync::Arc};

/// A content whose template is parsed and whose parameters are bound.
pub(crate) struct Evaluation {
    pub(crate) template: Arc<Template>,
    values: Parameters,
    /// The same with hashes in place of `NoEcho` values.
    masked: Parameters,
    /// Makes equal secrets of different stacks different hashes.
    salt: StackUuid,
    /// Of the templates of nested stacks.
    digest: Value,
}

impl Evaluation {
    pub(crate) fn new(
        template: Arc<Template>,
        content: &Content,
        stack: &StackUuid,
    ) -> Result<Evaluation, Error> {
        let values = scope::bound(&template, content)?.values;
        let mut masked = values.clone();
        for name in &content.hidden {
            if let Some(value) = masked.get_mut(name.as_str()) {
                *value = hash(stack, value);
            }
        }
        Ok(Evaluation { template, values, masked, salt: stack.clone(), digest: nested::digest(content) })
    }

    /// Parses the content's template.
    pub(crate) fn of(content: &Content, stack: &StackUuid) -> Result<Evaluation, Error> {
        // With the larger size limit: the size was checked when the template arrived.
        let template = template::parse(&content.template, template::Origin::File)?;
        Evaluation::new(Arc::new(template), content, stack)
    }

    pub(crate) fn scope<'a>(
        &'a self,
        pseudo: &'a Pseudo,
        environment: &'a dyn Environment,
    ) -> Result<Scope<'a>, Error> {
        Ok(Scope::new(&self.template, &self.values, pseudo, environment)?)
    }

    /// The properties to store. `null` is a value that is not known yet.
    pub(crate) fn stored(
        &self,
        scope: &Scope<'_>,
        logical: &str,
    ) -> Result<Map<String, Value>, EvaluateError> {
        let masked = scope.showing(&self.masked);
        let mut stored = Map::new();
        for (name, expression) in scope.members(logical)? {
            let Some(value) = scope.foreseen(expression)? else { continue };
            // With the hash the evaluation may fail, for example if the secret is a key of a mapping. Then all is hashed.
            let shown = masked.foreseen(expression).ok().flatten();
            stored.insert(name.clone(), shown.unwrap_or_else(|| hash(&self.salt, &value)));
        }
        if self.template.resources.get(logical).is_some_and(|resource| resource.type_name == events::STACK) {
            stored.insert(nested::DIGEST.to_owned(), self.digest.clone());
        }
        Ok(stored)
    }

    /// The names of the parameters whose values differ from those of another content.
    pub(crate) fn parameters_changed<'a>(&'a self, old: &'a Evaluation) -> impl Iterator<Item = &'a str> {
        let differs = |(name, value): &(&String, &Value)| old.values.get(*name) != Some(*value);
        self.values.iter().filter(differs).map(|(name, _)| name.as_str())
    }
}

/// The begin of a hash in a stored property.
pub(crate) const MARK: &str = "{{NoEcho:";

fn hash(salt: &StackUuid, value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| hash(salt, item)).collect(),
        scalar => format!("{MARK}{:x}}}}}", Sha256::digest(format!("{salt}/{scalar}"))).into(),
    }
}

/// A stored property for a response: hashes become asterisks.
pub(crate) fn shown(value: &Value) -> Value {
    match value {
        Value::String(text) if text.contains(MARK) => {
            let mut parts = text.split(MARK);
            let first = parts.next().unwrap_or_default().to_owned();
            let rest =
                |part: &str| part.split_once("}}").map_or_else(String::new, |(_, rest)| rest.to_owned());
            parts.fold(first, |text, part| format!("{text}****{}", rest(part))).into()
        }
        Value::Array(items) => items.iter().map(shown).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), shown(value))).collect(),
        scalar => scalar.clone(),
    }
}

/// The metadata of every resource, as the template has it.
pub(crate) fn metadata(content: &Content) -> BTreeMap<String, Value> {
    let Ok(tree) = template::tree(&content.template) else { return BTreeMap::new() };
    let resources = tree.get("Resources").and_then(|node| node.map()).unwrap_or_default();
    let of = |(key, node): &(template::node::Key, template::Node)| {
        Some((key.text.clone(), node.get("Metadata")?.value()))
    };
    resources.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn hashes_are_shown_as_asterisks() {
        let salt = StackUuid("s".into());
        let hashed = hash(&salt, &"secret".into());
        let text = format!("user:{}@host", hashed.as_str().unwrap());
        assert_eq!(shown(&json!({"A": [text], "B": hashed})), json!({"A": ["user:****@host"], "B": "****"}));
        assert_ne!(hash(&salt, &"a".into()), hash(&salt, &"b".into()));
        assert_ne!(hash(&salt, &"a".into()), hash(&StackUuid("t".into()), &"a".into()));
    }
}
