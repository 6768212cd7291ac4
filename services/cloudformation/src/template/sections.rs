//! Reads each section of a template into its own type. Unknown keys are errors that name them.

use super::error::{Position, TemplateError};
use super::expression::{self, Block, Expression, Form};
use super::node::{Key, Node};
use super::parameter::{self, Parameter};
use escale_base::limits::template as limits;
use indexmap::IndexMap;
use serde_json::Value;

/// A template whose references all resolve.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    pub description: Option<String>,
    pub metadata: Option<Value>,
    /// The transforms that the template declares.
    pub transforms: Vec<String>,
    pub parameters: IndexMap<String, Parameter>,
    /// Map → key → second key → string or list of strings.
    pub mappings: IndexMap<String, IndexMap<String, IndexMap<String, Value>>>,
    pub conditions: IndexMap<String, Expression>,
    pub rules: IndexMap<String, Rule>,
    pub resources: IndexMap<String, Resource>,
    pub outputs: IndexMap<String, Output>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    pub at: Position,
    /// `AWS::EC2::VPC`.
    pub type_name: String,
    /// Always a map.
    pub properties: Expression,
    pub depends_on: Vec<String>,
    pub condition: Option<String>,
    pub metadata: Option<Expression>,
    /// `CreationPolicy` and `UpdatePolicy`, which Escale does not support, and their positions.
    pub policies: Vec<(String, Position)>,
    pub deletion_policy: Option<RemovalPolicy>,
    pub update_replace_policy: Option<RemovalPolicy>,
}

escale_base::choice! {
    /// What happens to a resource that is removed from its stack.
    pub enum RemovalPolicy {
        Delete = "Delete",
        Retain = "Retain",
        RetainExceptOnCreate = "RetainExceptOnCreate",
        Snapshot = "Snapshot",
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    pub at: Position,
    pub value: Expression,
    pub description: Option<String>,
    pub export: Option<Expression>,
    pub condition: Option<String>,
}

/// Assertions about the parameters, checked before any resource is created.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub at: Position,
    pub condition: Option<Expression>,
    pub assertions: Vec<(Expression, Option<String>)>,
}

/// Checks the names of the sections.
pub(crate) fn check_names(root: &Node) -> Result<(), TemplateError> {
    let sections =
        root.map().ok_or_else(|| TemplateError::format("unsupported structure.").at(root.place))?;
    let is_unknown = |key: &&(Key, Node)| !SECTIONS.contains(&key.0.text.as_str());
    let unknown: Vec<&str> = sections.iter().filter(is_unknown).map(|(key, _)| key.text.as_str()).collect();
    if !unknown.is_empty() {
        let message = format!("Invalid template property or properties [{}]", unknown.join(", "));
        return Err(TemplateError::plain(message).at(root.place));
    }
    match sections.iter().find(|(key, _)| key.text == "Hooks") {
        Some((key, _)) => Err(TemplateError::not_supported("The section Hooks").at(key.place)),
        None => Ok(()),
    }
}

/// Reads a template without functions of a transform.
pub(crate) fn read(root: &Node) -> Result<Template, TemplateError> {
    if let Some(version) = root.get("AWSTemplateFormatVersion")
        && version.text() != Some("2010-09-09")
    {
        return Err(
            TemplateError::format("Template format version not supported: use 2010-09-09").at(version.place)
        );
    }
    Ok(Template {
        description: root.get("Description").map(description).transpose()?,
        metadata: root.get("Metadata").map(Node::value),
        conditions: root.get("Conditions").map(conditions).transpose()?.unwrap_or_default(),
        rules: section(root, "Rules", usize::MAX, rule)?,
        resources: section(root, "Resources", limits::RESOURCES, resource)?,
        outputs: section(root, "Outputs", limits::OUTPUTS, output)?,
        ..declarations(root)?
    })
}

/// The sections that have no functions: parameters and mappings. All others are empty.
pub(crate) fn declarations(root: &Node) -> Result<Template, TemplateError> {
    Ok(Template {
        description: None,
        metadata: None,
        transforms: Vec::new(),
        parameters: parameters(root)?,
        mappings: section(root, "Mappings", limits::MAPPINGS, mapping)?,
        conditions: IndexMap::new(),
        rules: IndexMap::new(),
        resources: IndexMap::new(),
        outputs: IndexMap::new(),
    })
}

pub(crate) fn parameters(root: &Node) -> Result<IndexMap<String, Parameter>, TemplateError> {
    section(root, "Parameters", limits::PARAMETERS, parameter::read)
}

/// Reads the section Conditions.
pub(crate) fn conditions(node: &Node) -> Result<IndexMap<String, Expression>, TemplateError> {
    entries(node, "Conditions", usize::MAX, |_, node| expression::read(node, Block::Conditions))
}

const SECTIONS: &[&str] = &[
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Mappings",
    "Conditions",
    "Rules",
    "Resources",
    "Outputs",
    "Transform",
    "Hooks",
];

fn description(node: &Node) -> Result<String, TemplateError> {
    let text = node
        .text()
        .ok_or_else(|| TemplateError::format("Every Description member must be a string.").at(node.place))?;
    if text.len() > limits::DESCRIPTION_BYTES {
        let message = format!("'Description' length is greater than {}.", limits::DESCRIPTION_BYTES);
        return Err(TemplateError::format(message).at(node.place));
    }
    Ok(text.to_owned())
}

fn section<T>(
    root: &Node,
    name: &str,
    limit: usize,
    read: impl Fn(&str, &Node) -> Result<T, TemplateError>,
) -> Result<IndexMap<String, T>, TemplateError> {
    root.get(name).map_or_else(|| Ok(IndexMap::new()), |node| entries(node, name, limit, read))
}

fn entries<T>(
    node: &Node,
    name: &str,
    limit: usize,
    read: impl Fn(&str, &Node) -> Result<T, TemplateError>,
) -> Result<IndexMap<String, T>, TemplateError> {
    let entries = node
        .map()
        .ok_or_else(|| TemplateError::format(format!("'{name}' must be an object.")).at(node.place))?;
    if entries.len() > limit {
        let message = format!(
            "Number of {}, {}, is greater than maximum allowed, {limit}",
            name.to_lowercase(),
            entries.len()
        );
        return Err(TemplateError::format(message).at(node.place));
    }
    let named = |(key, node): &(Key, Node)| {
        let plain = key.text.chars().all(|c| c.is_ascii_alphanumeric());
        let free = matches!(name, "Mappings" | "Conditions" | "Rules");
        if key.text.is_empty() || key.text.len() > limits::LOGICAL_ID_CHARS || !(plain || free) {
            let what = name.strip_suffix('s').unwrap_or(name);
            return Err(
                TemplateError::format(format!("{what} name {} is non alphanumeric.", key.text)).at(key.place)
            );
        }
        Ok((key.text.clone(), read(&key.text, node).map_err(|e| e.at(key.place))?))
    };
    entries.iter().map(named).collect()
}

fn mapping(name: &str, node: &Node) -> Result<IndexMap<String, IndexMap<String, Value>>, TemplateError> {
    let wrong = |at| {
        TemplateError::format(format!("Every Mappings attribute must be a String or a List. ({name})")).at(at)
    };
    let mut keys = IndexMap::new();
    for (key, attributes) in node.map().ok_or_else(|| wrong(node.place))? {
        let mut values = IndexMap::new();
        for (attribute, value) in attributes.map().ok_or_else(|| wrong(attributes.place))? {
            // A number keeps its digits as written: an account id may start with zeros.
            let text = |node: &Node| node.string().map(Value::from).ok_or_else(|| wrong(node.place));
            let value = match value.list() {
                Some(items) => items.iter().map(text).collect::<Result<Value, _>>()?,
                None => text(value)?,
            };
            values.insert(attribute.text.clone(), value);
        }
        keys.insert(key.text.clone(), values);
    }
    Ok(keys)
}

fn rule(name: &str, node: &Node) -> Result<Rule, TemplateError> {
    let wrong = |at| {
        TemplateError::format(format!("Rule {name} must have Assertions: a list of objects with Assert"))
            .at(at)
    };
    let mut rule = Rule { at: node.place, condition: None, assertions: Vec::new() };
    for (key, value) in node.map().ok_or_else(|| wrong(node.place))? {
        match key.text.as_str() {
            "RuleCondition" => rule.condition = Some(expression::read(value, Block::Rules)?),
            "Assertions" => {
                for item in value.list().ok_or_else(|| wrong(value.place))? {
                    let assert = item.get("Assert").ok_or_else(|| wrong(item.place))?;
                    let description = item.get("AssertDescription").and_then(Node::text).map(str::to_owned);
                    rule.assertions.push((expression::read(assert, Block::Rules)?, description));
                }
            }
            other => {
                return Err(TemplateError::format(format!("Invalid rule property '{other}'")).at(key.place));
            }
        }
    }
    if rule.assertions.is_empty() { Err(wrong(node.place)) } else { Ok(rule) }
}

fn resource(name: &str, node: &Node) -> Result<Resource, TemplateError> {
    let wrong = |what: &str| TemplateError::format(format!("[/Resources/{name}] {what}")).at(node.place);
    let entries = node.map().ok_or_else(|| wrong("Every Resources member must be an object."))?;
    let no_properties = Expression { at: node.place, form: Form::Map(Vec::new()) };
    let mut resource = Resource {
        at: node.place,
        type_name: String::new(),
        properties: no_properties,
        depends_on: Vec::new(),
        condition: None,
        metadata: None,
        policies: Vec::new(),
        deletion_policy: None,
        update_replace_policy: None,
    };
    for (key, value) in entries {
        let text = || {
            value.text().map(str::to_owned).ok_or_else(|| wrong(&format!("{} must be a string.", key.text)))
        };
        match key.text.as_str() {
            "Type" => resource.type_name = text()?,
            "Properties" => {
                resource.properties = expression::read(value, Block::Resources)?;
                if !matches!(resource.properties.form, Form::Map(_)) {
                    return Err(wrong("Properties must be an object.").at(value.place));
                }
            }
            "DependsOn" => {
                let items = value.list().unwrap_or(std::slice::from_ref(value));
                let names: Option<Vec<String>> = items.iter().map(|i| i.text().map(str::to_owned)).collect();
                resource.depends_on =
                    names.ok_or_else(|| wrong("Every DependsOn value must be a string."))?;
            }
            "Condition" => resource.condition = Some(text()?),
            "Metadata" => resource.metadata = Some(expression::read(value, Block::Resources)?),
            "DeletionPolicy" => resource.deletion_policy = Some(removal(name, &key.text, &text()?)?),
            "UpdateReplacePolicy" => {
                resource.update_replace_policy = Some(removal(name, &key.text, &text()?)?)
            }
            // Not documented for resources, but accepted: AWS CodeStar's own templates have it, and cfn-lint lists it. It has no
            // effect on AWS either, except that it must be text: <https://github.com/aws-cloudformation/cfn-lint>, rule E3001.
            "Description" => drop(text()?),
            "CreationPolicy" | "UpdatePolicy" => resource.policies.push((key.text.clone(), key.place)),
            // Of custom resources only: <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-customresource.html>
            "Version" if node.get("Type").and_then(Node::text).is_some_and(is_custom) => {}
            other => {
                return Err(TemplateError::plain(format!("Invalid template resource property '{other}'"))
                    .at(key.place));
            }
        }
    }
    if resource.type_name.is_empty() {
        return Err(wrong("Every Resources object must contain a Type member."));
    }
    Ok(resource)
}

fn is_custom(type_name: &str) -> bool {
    type_name == "AWS::CloudFormation::CustomResource" || type_name.starts_with("Custom::")
}

fn removal(resource: &str, attribute: &str, word: &str) -> Result<RemovalPolicy, TemplateError> {
    let policy = word
        .parse()
        .ok()
        .filter(|p| attribute == "DeletionPolicy" || *p != RemovalPolicy::RetainExceptOnCreate);
    policy.ok_or_else(|| {
        TemplateError::format(format!("Unrecognized {attribute} {word} for resource {resource}"))
    })
}

fn output(name: &str, node: &Node) -> Result<Output, TemplateError> {
    let wrong = |what: String| TemplateError::format(what).at(node.place);
    let entries = node
        .map()
        .ok_or_else(|| wrong(format!("[/Outputs/{name}] Every Outputs member must be an object.")))?;
    let (mut value, mut description_text, mut export, mut condition) = (None, None, None, None);
    for (key, node) in entries {
        match key.text.as_str() {
            "Value" => value = Some(expression::read(node, Block::Outputs)?),
            "Description" => description_text = Some(description(node)?),
            "Condition" => condition = node.text().map(str::to_owned),
            "Export" => match node.map() {
                Some([(key, name)]) if key.text == "Name" => {
                    export = Some(expression::read(name, Block::Outputs)?)
                }
                _ => {
                    return Err(wrong(format!(
                        "[/Outputs/{name}/Export] must be an object whose only key is Name."
                    )));
                }
            },
            other => return Err(wrong(format!("Invalid output property '{other}' of {name}")).at(key.place)),
        }
    }
    let value = value.ok_or_else(|| wrong(format!("Output {name} must have a Value")))?;
    Ok(Output { at: node.place, value, description: description_text, export, condition })
}
