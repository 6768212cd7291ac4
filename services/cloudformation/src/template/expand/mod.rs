//! Expands the functions of the transform `AWS::LanguageExtensions` in one section of a template.
//!
//! Loops (`Fn::ForEach`), `Fn::Length`, the extended `Fn::FindInMap`, and functions where CloudFormation itself wants a name or a
//! word are replaced by their values. All other functions stay, with the identifiers of loops replaced.

pub(crate) mod loops;
mod names;

use super::evaluate::{EvaluateError, Scope, text_of};
use super::expression::{self, Block};
use super::node::{Key, Kind, Node, Scalar};
use super::parameter::Parameter;
use super::references::{self, Use};
use super::transform::unknown_yet;
use super::{TemplateError, error::Position};
use escale_base::limits::template as limits;
use indexmap::IndexMap;
use names::Bindings;
use serde_json::Value;
use std::cell::Cell;

pub(crate) const FOR_EACH: &str = "Fn::ForEach";

/// The room for the expanded template, in bytes. Nested loops multiply, so that a short text could fill the memory.
pub(crate) struct Room(Cell<usize>);

impl Default for Room {
    fn default() -> Room {
        Room(Cell::new(limits::FILE_BYTES))
    }
}

impl Room {
    fn take(&self, bytes: usize) -> Result<(), TemplateError> {
        let left = self.0.get().checked_sub(bytes).ok_or_else(Room::exceeded)?;
        self.0.set(left);
        Ok(())
    }

    /// The quota applies to the result of the transform.
    pub(crate) fn exceeded() -> TemplateError {
        TemplateError::format(format!(
            "the template is larger than {} bytes after the transform AWS::LanguageExtensions",
            limits::FILE_BYTES
        ))
    }
}

pub(crate) struct Expander<'a> {
    block: Block,
    /// `None` if no value is known.
    scope: Option<&'a Scope<'a>>,
    parameters: &'a IndexMap<String, Parameter>,
    /// Leave out what cannot be evaluated.
    outline: bool,
    room: &'a Room,
}

impl<'a> Expander<'a> {
    pub(crate) fn new(
        block: Block,
        scope: Option<&'a Scope<'a>>,
        parameters: &'a IndexMap<String, Parameter>,
        outline: bool,
        room: &'a Room,
    ) -> Expander<'a> {
        Expander { block, scope, parameters, outline, room }
    }

    pub(crate) fn section(&self, node: &Node) -> Result<Node, TemplateError> {
        let mut expanded = self.node(node, &Bindings::default())?;
        if let (Block::Resources, Kind::Map(resources)) = (self.block, &mut expanded.kind) {
            for (_, resource) in resources {
                self.attributes(resource)?;
            }
        }
        Ok(expanded)
    }

    /// Evaluates the attributes of a resource that CloudFormation reads as words.
    fn attributes(&self, resource: &mut Node) -> Result<(), TemplateError> {
        let Kind::Map(entries) = &mut resource.kind else { return Ok(()) };
        let mut kept = Vec::with_capacity(entries.len());
        for (key, node) in std::mem::take(entries) {
            let is_word = matches!(key.text.as_str(), "DeletionPolicy" | "UpdateReplacePolicy" | "Condition");
            if !is_word || node.map().is_none() {
                kept.push((key, node));
            } else if let Some(value) = self.value(&node)? {
                let text = text_of(&value).ok_or_else(|| {
                    TemplateError::usage(format!("{} must be a string", key.text)).at(node.place)
                })?;
                kept.push((key, scalar(node.place, text)));
            }
        }
        *entries = kept;
        Ok(())
    }

    fn node(&self, node: &Node, bindings: &Bindings<'_>) -> Result<Node, TemplateError> {
        let kind = match &node.kind {
            Kind::Scalar(scalar) => {
                let text = bindings.replace(&scalar.text).map_err(|e| e.at(node.place))?;
                self.room.take(text.len() + 1).map_err(|e| e.at(node.place))?;
                // A text with a replaced identifier is never a number or a boolean.
                let plain = scalar.plain && text == scalar.text;
                Kind::Scalar(Scalar { text, plain })
            }
            Kind::List(items) => {
                let items = items.iter().map(|item| self.node(item, bindings));
                Kind::List(items.collect::<Result<_, _>>()?)
            }
            Kind::Map(entries) => match entries.as_slice() {
                [(key, argument)] if key.text == "Ref" || key.text.starts_with("Fn::") => {
                    let expanded = self.function(key, argument, bindings);
                    return expanded.map_err(|e| e.at(key.place));
                }
                entries => self.map(entries, bindings)?,
            },
        };
        Ok(Node::new(node.place, kind))
    }

    fn map(&self, entries: &[(Key, Node)], bindings: &Bindings<'_>) -> Result<Kind, TemplateError> {
        let mut expanded = IndexMap::new();
        for (key, node) in entries {
            let added = if key.text.starts_with(FOR_EACH) {
                self.for_each(key, node, bindings).map_err(|e| e.at(key.place))?
            } else {
                vec![self.entry(key, node, bindings)?]
            };
            for (key, node) in added {
                let (text, at) = (key.text.clone(), key.place);
                if expanded.insert(key.text.clone(), (key, node)).is_some() {
                    let message =
                        format!("the transform AWS::LanguageExtensions creates the key '{text}' twice");
                    return Err(TemplateError::format(message).at(at));
                }
            }
        }
        Ok(Kind::Map(expanded.into_values().collect()))
    }

    fn entry(&self, key: &Key, node: &Node, bindings: &Bindings<'_>) -> Result<(Key, Node), TemplateError> {
        let text = bindings.replace(&key.text).map_err(|e| e.at(key.place))?;
        self.room.take(text.len() + 1).map_err(|e| e.at(key.place))?;
        Ok((Key { text, place: key.place }, self.node(node, bindings)?))
    }

    fn function(&self, key: &Key, argument: &Node, bindings: &Bindings<'_>) -> Result<Node, TemplateError> {
        let at = argument.place;
        self.room.take(key.text.len() + 1)?;
        let again = |argument: Node| Node::new(key.place, Kind::Map(vec![(key.clone(), argument)]));
        match (key.text.as_str(), &argument.kind) {
            (name, _) if name.starts_with(FOR_EACH) => {
                let entries = self.map(&[(key.clone(), argument.clone())], bindings)?;
                Ok(Node::new(key.place, entries))
            }
            ("Ref", Kind::Scalar(_) | Kind::Map(_)) => self.reference(key, argument, bindings),
            ("Fn::GetAtt", Kind::List(items)) => {
                let items = items.iter().map(|item| match self.node(item, bindings)? {
                    item if item.map().is_some() => Ok(scalar(item.place, self.text(&item, "Fn::GetAtt")?)),
                    item => Ok(item),
                });
                let items = items.collect::<Result<_, TemplateError>>()?;
                Ok(again(Node::new(at, Kind::List(items))))
            }
            // CloudFormation does not replace identifiers in the name of a condition here.
            ("Fn::If", Kind::List(items)) if items.len() == 3 => {
                let branches = items[1..].iter().map(|item| self.node(item, bindings));
                let mut list = vec![items[0].clone()];
                list.extend(branches.collect::<Result<Vec<_>, _>>()?);
                Ok(again(Node::new(at, Kind::List(list))))
            }
            ("Fn::Length", _) => self.length(&self.node(argument, bindings)?),
            ("Fn::ToJsonString", _) => self.json(again(self.node(argument, bindings)?)),
            ("Fn::FindInMap", Kind::List(items)) => self.find_in_map(key, items, bindings),
            _ => Ok(again(self.node(argument, bindings)?)),
        }
    }

    /// The value of an identifier, or `Ref` with the name that the argument evaluates to.
    fn reference(&self, key: &Key, argument: &Node, bindings: &Bindings<'_>) -> Result<Node, TemplateError> {
        let name = match &argument.kind {
            Kind::Scalar(scalar) if bindings.get(&scalar.text).is_some() => scalar.text.clone(),
            _ => self.text(&self.node(argument, bindings)?, "Ref")?,
        };
        Ok(match bindings.get(&name) {
            Some(value) => scalar(argument.place, value.to_owned()),
            None => {
                let entry = (key.clone(), scalar(argument.place, name));
                Node::new(key.place, Kind::Map(vec![entry]))
            }
        })
    }

    fn length(&self, list: &Node) -> Result<Node, TemplateError> {
        match self.value(list)? {
            Some(Value::Array(items)) => {
                let count = Scalar { text: items.len().to_string(), plain: true };
                Ok(Node::new(list.place, Kind::Scalar(count)))
            }
            None if self.outline => Ok(unknown(list.place)),
            _ => Err(TemplateError::usage("every Fn::Length object requires a list")),
        }
    }

    /// The text, if it is known and may be shown in the processed template; else the function itself.
    fn json(&self, function: Node) -> Result<Node, TemplateError> {
        let expression = expression::read(&function, self.block)?;
        let mut is_hidden = false;
        references::walk(&expression, None, &mut |used| {
            if let Use::Ref(name) = used {
                is_hidden |= self.parameters.get(name).is_some_and(|parameter| parameter.no_echo);
            }
        });
        let Some(scope) = self.scope.filter(|_| !is_hidden) else { return Ok(function) };
        match scope.value(&expression) {
            Ok(Some(value)) => Ok(scalar(function.place, text_of(&value).unwrap_or_default())),
            Ok(None) | Err(EvaluateError::NotYet { .. }) => Ok(function),
            Err(EvaluateError::Template(error)) => Err(error),
        }
    }

    /// `Fn::FindInMap` with a default value or with functions that CloudFormation itself does not accept there.
    fn find_in_map(&self, key: &Key, items: &[Node], bindings: &Bindings<'_>) -> Result<Node, TemplateError> {
        let at = key.place;
        let mut arguments =
            items.iter().map(|item| self.node(item, bindings)).collect::<Result<Vec<_>, _>>()?;
        let is_plain = |node: &Node| match &node.kind {
            Kind::Scalar(_) => true,
            Kind::Map(entries) => {
                entries.iter().all(|(key, _)| matches!(key.text.as_str(), "Ref" | "Fn::FindInMap"))
            }
            Kind::List(_) => false,
        };
        let again = |arguments: Vec<Node>| {
            Node::new(at, Kind::Map(vec![(key.clone(), Node::new(at, Kind::List(arguments)))]))
        };
        if !matches!(arguments.len(), 3 | 4) || arguments.len() == 3 && arguments.iter().all(is_plain) {
            return Ok(again(arguments));
        }
        let default = match arguments.len() {
            4 => match arguments.pop().map(|node| node.kind) {
                Some(Kind::Map(mut entries)) if entries.len() == 1 && entries[0].0.text == "DefaultValue" => {
                    entries.pop().map(|(_, value)| value)
                }
                _ => {
                    return Err(TemplateError::usage(
                        "the fourth parameter of Fn::FindInMap must be an object whose only key is DefaultValue",
                    ));
                }
            },
            _ => None,
        };
        let mut names = Vec::new();
        for argument in &arguments {
            if self.outline && self.value(argument)?.is_none() {
                return Ok(unknown(at));
            }
            names.push(self.text(argument, "Fn::FindInMap")?);
        }
        let found = self.scope.and_then(|scope| scope.mapped(&names[0], &names[1], &names[2]));
        match (found, default) {
            (Some(value), _) => Ok(written(at, value)),
            (None, Some(default)) => Ok(default),
            // The ordinary function reports what is missing.
            (None, None) => {
                let literal = names.into_iter().map(|name| scalar(at, name)).collect();
                self.value(&again(literal)).map(|_| unknown(at))
            }
        }
    }

    /// The value of an expression in which everything is known. `None` is `AWS::NoValue`, or unknown in an outline.
    fn value(&self, node: &Node) -> Result<Option<Value>, TemplateError> {
        let expression = expression::read(node, self.block)?;
        let Some(scope) = self.scope else {
            let message = "the transform AWS::LanguageExtensions needs the values of the parameters here";
            return Err(TemplateError::usage(message).at(node.place));
        };
        match scope.value(&expression) {
            Err(EvaluateError::NotYet { .. }) if self.outline => Ok(None),
            other => other.map_err(|e| unknown_yet(e).at(node.place)),
        }
    }

    fn text(&self, node: &Node, function: &str) -> Result<String, TemplateError> {
        if let Some(text) = node.text() {
            return Ok(text.to_owned());
        }
        self.value(node)?.as_ref().and_then(text_of).ok_or_else(|| {
            TemplateError::usage(format!("{function} needs a name here, which must be a string"))
                .at(node.place)
        })
    }
}

fn scalar(at: Position, text: String) -> Node {
    Node::new(at, Kind::Scalar(Scalar { text, plain: false }))
}

/// A value that an outline leaves open: no template can define this name.
fn unknown(at: Position) -> Node {
    let key = Key { text: "Ref".into(), place: at };
    Node::new(at, Kind::Map(vec![(key, scalar(at, "AWS::Unknown".into()))]))
}

/// A value of a mapping: a text or a list of texts.
fn written(at: Position, value: Value) -> Node {
    match value {
        Value::Array(items) => {
            Node::new(at, Kind::List(items.into_iter().map(|item| written(at, item)).collect()))
        }
        other => scalar(at, text_of(&other).unwrap_or_default()),
    }
}
