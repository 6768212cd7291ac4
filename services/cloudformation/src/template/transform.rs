//! Templates with a `Transform`. The only transform that runs is `AWS::LanguageExtensions`; any other is refused by its name.
//!
//! `read` returns a `Source`: what is known before the parameters have values. `Source::process` runs the transform.
//! Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/transform-aws-languageextensions.html>

use super::evaluate::{Environment, EvaluateError, Pseudo, Scope};
use super::expand::{Expander, FOR_EACH, Room, loops};
use super::expression::Block;
use super::node::{Key, Kind, Node};
use super::parameter::{self, Bound, Parameter, Parameters};
use super::sections::{self, Template};
use super::{TemplateError, json, references};
use escale_base::limits::template as limits;
use escale_tables::cloudformation::ParameterKey;
use indexmap::IndexMap;
use std::collections::BTreeMap;

const LANGUAGE_EXTENSIONS: &str = "AWS::LanguageExtensions";

/// A template whose transform has not run yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    root: Node,
    /// The names in the section Transform.
    pub transforms: Vec<String>,
    pub parameters: IndexMap<String, Parameter>,
}

/// A template after its transform.
#[derive(Clone, Debug, PartialEq)]
pub struct Processed {
    pub template: Template,
    /// The text, which is the stage `Processed` of `GetTemplate`. `None` if the template declares no transform: then it is the text
    /// as written.
    pub text: Option<String>,
}

/// The values that functions of the transform may read.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    pub parameters: &'a Parameters,
    pub pseudo: &'a Pseudo,
    /// No resource exists when the transform runs.
    pub environment: &'a dyn Environment,
}

pub(crate) fn read(root: Node) -> Result<Source, TemplateError> {
    sections::check_names(&root)?;
    let transforms = declared(&root)?;
    super::node::refuse_null(&root, "")?;
    if transforms.is_empty() {
        without_extensions(&root)?;
    }
    let parameters = sections::parameters(&root)?;
    Ok(Source { root, transforms, parameters })
}

impl Source {
    /// Checks the given values against the Parameters section and fills in the defaults.
    pub fn bind(&self, given: &BTreeMap<ParameterKey, String>) -> Result<Bound, TemplateError> {
        parameter::bind(&self.parameters, given)
    }

    /// The parameters' defaults. A parameter without a default has no value.
    pub fn defaults(&self) -> Result<Bound, TemplateError> {
        self.bind_known(&BTreeMap::new())
    }

    /// The given values and the defaults. Unlike [`Source::bind`], it accepts parameters without a value.
    pub fn bind_known(&self, given: &BTreeMap<ParameterKey, String>) -> Result<Bound, TemplateError> {
        let is_known = |name: &str, p: &Parameter| p.default.is_some() || given.contains_key(name);
        let known = self.parameters.iter().filter(|(name, p)| is_known(name, p));
        parameter::bind(&known.map(|(name, p)| (name.clone(), p.clone())).collect(), given)
    }

    /// Runs the transform, then checks everything that does not depend on parameters.
    pub fn process(&self, known: Known<'_>) -> Result<Processed, TemplateError> {
        if self.transforms.is_empty() {
            return Ok(Processed { template: self.plain()?, text: None });
        }
        let root = self.expanded(Some(known), false)?;
        let text = json::text(&root);
        if text.len() > limits::FILE_BYTES {
            return Err(Room::exceeded());
        }
        let template = self.checked(&root)?;
        Ok(Processed { template, text: Some(text) })
    }

    /// Checks the template without values. A text that [`Source::process`] returned is accepted; a function of the transform that
    /// needs a value is an error.
    pub(crate) fn plain(&self) -> Result<Template, TemplateError> {
        if self.transforms.is_empty() {
            return self.checked(&self.root);
        }
        self.checked(&self.expanded(None, false)?)
    }

    /// The template as far as it is known with these values, for a summary: loops and functions of the transform that need other
    /// values are left out.
    pub fn outline(&self, known: Known<'_>) -> Result<Template, TemplateError> {
        if self.transforms.is_empty() {
            return self.plain();
        }
        let template = sections::read(&self.expanded(Some(known), true)?)?;
        Ok(Template { transforms: self.transforms.clone(), ..template })
    }

    fn checked(&self, root: &Node) -> Result<Template, TemplateError> {
        let template = Template { transforms: self.transforms.clone(), ..sections::read(root)? };
        if template.resources.is_empty() {
            let message = "At least one Resources member must be defined.";
            return Err(TemplateError::format(message).at(root.place));
        }
        references::check(&template)?;
        Ok(template)
    }

    /// The template after the transform. `outline` leaves out what cannot be evaluated.
    fn expanded(&self, known: Option<Known<'_>>, outline: bool) -> Result<Node, TemplateError> {
        loops::check(&self.root, &self.parameters)?;
        let room = Room::default();
        let expand = |name: &str, block: Block, scope: Option<&Scope<'_>>| {
            let expander = Expander::new(block, scope, &self.parameters, outline, &room);
            self.root.get(name).map(|node| expander.section(node)).transpose()
        };
        let mut known_parts = sections::declarations(&self.root)?;
        let conditions = match known {
            None => expand("Conditions", Block::Conditions, None)?,
            Some(known) => {
                let scope = scope(&known_parts, known, outline)?;
                expand("Conditions", Block::Conditions, Some(&scope))?
            }
        };
        if let Some(node) = &conditions {
            known_parts.conditions = sections::conditions(node)?;
        }
        if !outline {
            references::check_conditions(&known_parts)?;
        }
        let scope = known.map(|known| scope(&known_parts, known, outline)).transpose()?;
        let resources = expand("Resources", Block::Resources, scope.as_ref())?;
        let outputs = expand("Outputs", Block::Outputs, scope.as_ref())?;
        Ok(self.with_sections([("Conditions", conditions), ("Resources", resources), ("Outputs", outputs)]))
    }

    /// The template with other content in some sections. The section Transform stays if a function of the transform does.
    fn with_sections(&self, mut sections: [(&str, Option<Node>); 3]) -> Node {
        let keeps_transform =
            sections.iter().flat_map(|(_, node)| node).any(|node| extension(node).is_some());
        let mut entries = Vec::new();
        for (key, node) in self.root.entries() {
            let other = sections.iter_mut().find(|(name, _)| *name == key.text);
            let node = other.and_then(|(_, node)| node.take()).unwrap_or_else(|| node.clone());
            // A section whose loops have no items is left out: AWS refuses an empty one.
            let is_empty = key.text != "Resources" && node.map().is_some_and(<[_]>::is_empty);
            if !is_empty && (keeps_transform || key.text != "Transform") {
                entries.push((key.clone(), node));
            }
        }
        Node::new(self.root.place, Kind::Map(entries))
    }
}

/// The scope of the functions, with the conditions of `parts`.
fn scope<'a>(parts: &'a Template, known: Known<'a>, outline: bool) -> Result<Scope<'a>, TemplateError> {
    let Known { parameters, pseudo, environment } = known;
    if outline {
        return Ok(Scope::of_known(parts, parameters, pseudo, environment));
    }
    Scope::new(parts, parameters, pseudo, environment).map_err(unknown_yet)
}

/// The error for a value that does not exist when the transform runs.
pub(crate) fn unknown_yet(error: EvaluateError) -> TemplateError {
    match error {
        EvaluateError::Template(error) => error,
        EvaluateError::NotYet { logical, attribute } => {
            let what = attribute.map_or_else(|| logical.clone(), |a| format!("{logical}.{a}"));
            TemplateError::usage(format!(
                "the value of {what} is not known when the transform {LANGUAGE_EXTENSIONS} runs. Use parameters, \
                 mappings and literals here"
            ))
        }
    }
}

/// The names in the section Transform; an error for those that Escale does not run.
fn declared(root: &Node) -> Result<Vec<String>, TemplateError> {
    let Some((key, node)) = root.entries().iter().find(|(key, _)| key.text == "Transform") else {
        return Ok(Vec::new());
    };
    let mut names = Vec::new();
    for item in node.list().unwrap_or(std::slice::from_ref(node)) {
        // `AWS::Include` and macros may have parameters: `{Name: …, Parameters: …}`.
        let name = item.text().or_else(|| item.get("Name").and_then(Node::text)).ok_or_else(|| {
            TemplateError::format("Every Transform must be the name of a transform.").at(item.place)
        })?;
        if name != LANGUAGE_EXTENSIONS || item.map().is_some() {
            return Err(refused(name).at(key.place));
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

fn refused(name: &str) -> TemplateError {
    let hint = match name {
        LANGUAGE_EXTENSIONS => "It has no parameters: write only its name",
        "AWS::Include" => "Copy the snippet into the template",
        name if name.starts_with("AWS::Serverless") => {
            "Its functions run on Lambda, which Escale does not have. Run them as services of ECS"
        }
        _ => {
            "Deploy the template that the transform creates: GetTemplate of AWS returns it as the stage Processed"
        }
    };
    TemplateError::not_supported(format_args!("The transform {name}")).hint(hint)
}

/// Refuses functions of the transform in a template that does not declare it.
fn without_extensions(root: &Node) -> Result<(), TemplateError> {
    let sections = ["Resources", "Conditions", "Outputs"].into_iter().filter_map(|name| root.get(name));
    match sections.filter_map(extension).next() {
        None => Ok(()),
        Some(key) => {
            let name = if key.text.starts_with(FOR_EACH) { "Fn::ForEach" } else { &key.text };
            Err(TemplateError::usage(format!(
                "the function {name} needs the transform. Add Transform: {LANGUAGE_EXTENSIONS} to the template"
            ))
            .at(key.place))
        }
    }
}

/// The first key below a node that is a function of the transform.
fn extension(node: &Node) -> Option<&Key> {
    match &node.kind {
        Kind::Scalar(_) => None,
        Kind::List(items) => items.iter().find_map(extension),
        Kind::Map(entries) => entries.iter().find_map(|(key, node)| {
            let is_own = matches!(key.text.as_str(), "Fn::Length" | "Fn::ToJsonString");
            if is_own || key.text.starts_with(FOR_EACH) { Some(key) } else { extension(node) }
        }),
    }
}
