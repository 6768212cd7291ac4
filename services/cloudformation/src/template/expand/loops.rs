//! `Fn::ForEach`.
//! Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-foreach.html>

use super::names::Bindings;
use super::{Expander, FOR_EACH};
use crate::template::evaluate::EvaluateError;
use crate::template::node::{Key, Kind, Node};
use crate::template::parameter::Parameter;
use crate::template::{TemplateError, expression, transform::unknown_yet};
use escale_base::limits::template as limits;
use indexmap::IndexMap;
use std::collections::BTreeSet;

/// The three parts of a loop.
struct Loop<'n> {
    identifier: &'n str,
    collection: &'n Node,
    body: &'n [(Key, Node)],
}

fn read<'n>(key: &Key, node: &'n Node) -> Result<Loop<'n>, TemplateError> {
    let parts = match node.list() {
        Some([identifier, collection, body]) => {
            identifier.text().zip(body.map()).map(|(identifier, body)| Loop { identifier, collection, body })
        }
        _ => None,
    };
    parts.filter(|parts| !parts.identifier.is_empty()).ok_or_else(|| {
        TemplateError::usage(format!(
            "{} must be a list of three: an identifier, a collection, and an object with the output keys",
            key.text
        ))
        .at(key.place)
    })
}

/// Checks what does not depend on values: the form, the names and the nesting of all loops.
pub(crate) fn check(root: &Node, parameters: &IndexMap<String, Parameter>) -> Result<(), TemplateError> {
    let mut found = Found { parameters, names: BTreeSet::new(), outer: Vec::new() };
    for section in ["Conditions", "Resources", "Outputs"] {
        if let Some(node) = root.get(section) {
            found.node(node)?;
        }
    }
    let logical = root.get("Resources").map(Node::entries).unwrap_or_default();
    match logical.iter().find(|(key, _)| found.names.contains(key.text.as_str())) {
        Some((key, _)) => {
            let message = format!("the loop {FOR_EACH}::{} has the name of a resource", key.text);
            Err(TemplateError::format(message).at(key.place))
        }
        None => Ok(()),
    }
}

struct Found<'n> {
    parameters: &'n IndexMap<String, Parameter>,
    /// The names of all loops so far.
    names: BTreeSet<&'n str>,
    /// The identifiers of the surrounding loops.
    outer: Vec<&'n str>,
}

impl<'n> Found<'n> {
    fn node(&mut self, node: &'n Node) -> Result<(), TemplateError> {
        node.list().unwrap_or_default().iter().try_for_each(|item| self.node(item))?;
        self.entries(node.entries())
    }

    fn entries(&mut self, entries: &'n [(Key, Node)]) -> Result<(), TemplateError> {
        for (key, node) in entries {
            match key.text.strip_prefix(FOR_EACH) {
                Some(rest) => self.one(rest, key, node).map_err(|e| e.at(key.place))?,
                None => self.node(node)?,
            }
        }
        Ok(())
    }

    fn one(&mut self, rest: &'n str, key: &'n Key, node: &'n Node) -> Result<(), TemplateError> {
        let wrong = |what: String| Err(TemplateError::format(what));
        let name = rest.strip_prefix("::").unwrap_or_default();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
            return wrong(format!("{} must be {FOR_EACH}::Name with a name of letters and digits", key.text));
        }
        if !self.names.insert(name) {
            return wrong(format!("the name of the loop {} is not unique in the template", key.text));
        }
        let Loop { identifier, body, .. } = read(key, node)?;
        if self.parameters.contains_key(identifier) {
            return wrong(format!("the identifier {identifier} of {} is the name of a parameter", key.text));
        }
        if self.outer.contains(&identifier) {
            return wrong(format!("the identifier {identifier} of {} is that of an outer loop", key.text));
        }
        if self.outer.len() == limits::LOOPS {
            return wrong(format!("loops are nested deeper than {} levels", limits::LOOPS));
        }
        self.outer.push(identifier);
        self.entries(body)?;
        self.outer.pop();
        Ok(())
    }
}

impl Expander<'_> {
    /// The entries that a loop creates.
    pub(super) fn for_each(
        &self,
        key: &Key,
        node: &Node,
        bindings: &Bindings<'_>,
    ) -> Result<Vec<(Key, Node)>, TemplateError> {
        let Loop { identifier, collection, body } = read(key, node)?;
        let Some(items) = self.items(key, &self.node(collection, bindings)?)? else { return Ok(Vec::new()) };
        let mut entries = Vec::new();
        for item in &items {
            // An iteration costs something even if its body is empty.
            self.room.take(1)?;
            let Kind::Map(added) = self.map(body, &bindings.with(identifier, item))? else { continue };
            entries.extend(added);
        }
        Ok(entries)
    }

    /// The items of a collection. `None` if they are not known in an outline.
    fn items(&self, key: &Key, collection: &Node) -> Result<Option<Vec<String>>, TemplateError> {
        let expression = expression::read(collection, self.block)?;
        let Some(scope) = self.scope else {
            let message = format!("the collection of {} needs the values of the parameters", key.text);
            return Err(TemplateError::usage(message).at(collection.place));
        };
        match scope.texts(&expression, &key.text) {
            Err(EvaluateError::NotYet { .. }) if self.outline => Ok(None),
            other => other.map(Some).map_err(|e| unknown_yet(e).at(collection.place)),
        }
    }
}
