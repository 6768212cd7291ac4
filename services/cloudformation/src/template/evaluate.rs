//! Evaluates expressions to plain values, with parameters and an environment. No I/O: the environment answers from data
//! that its owner already has.

use super::dynamic;
use super::error::TemplateError;
use super::expression::{Expression, Form, Part};
use super::network;
use super::parameter::Parameters;
use super::references::Conditions;
use super::sections::Template;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Data that expressions read besides the template and the parameters.
pub trait Environment {
    /// The value of `Ref` for a resource; `None` while it does not exist.
    fn resource_ref(&self, logical: &str) -> Option<Value>;
    /// `Ok(None)` while the resource does not exist; an error if its type does not have the attribute.
    fn get_att(&self, logical: &str, attribute: &str) -> Result<Option<Value>, TemplateError>;
    /// The value that another stack exports under this name.
    fn export(&self, name: &str) -> Option<String>;
    /// Whether an export that is missing now may exist later.
    fn lacks_exports(&self) -> bool {
        false
    }
    /// The names of a region's availability zones, in order.
    fn zones(&self, region: &str) -> Vec<String>;
}

/// The values of the pseudo parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pseudo {
    pub account_id: String,
    pub notification_arns: Vec<String>,
    pub partition: String,
    pub region: String,
    pub stack_id: String,
    pub stack_name: String,
    pub url_suffix: String,
}

/// The reason why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluateError {
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The value is known only once the resource exists.
    #[error("{logical} does not exist yet")]
    NotYet { logical: String, attribute: Option<String> },
}

/// The data for the evaluation of a template's expressions.
pub struct Scope<'a> {
    pub(super) template: &'a Template,
    pub(super) parameters: &'a Parameters,
    pub(super) pseudo: &'a Pseudo,
    pub(super) environment: &'a dyn Environment,
    pub(super) conditions: Conditions,
}

type Evaluated = Result<Option<Value>, EvaluateError>;

impl<'a> Scope<'a> {
    /// Evaluates all conditions: every other evaluation uses their values.
    pub fn new(
        template: &'a Template,
        parameters: &'a Parameters,
        pseudo: &'a Pseudo,
        environment: &'a dyn Environment,
    ) -> Result<Scope<'a>, EvaluateError> {
        let conditions = Conditions::new();
        let mut scope = Scope { template, parameters, pseudo, environment, conditions };
        for name in template.conditions.keys() {
            scope.condition(name, 0)?;
        }
        Ok(scope)
    }

    /// A scope for parameters of which some have no value: conditions that depend on those are not known either.
    pub fn of_known(
        template: &'a Template,
        parameters: &'a Parameters,
        pseudo: &'a Pseudo,
        environment: &'a dyn Environment,
    ) -> Scope<'a> {
        let conditions = Conditions::new();
        let mut scope = Scope { template, parameters, pseudo, environment, conditions };
        for name in template.conditions.keys() {
            drop(scope.condition(name, 0));
        }
        scope
    }

    /// The same scope with other parameter values, but with the conditions' values of the original ones.
    pub fn showing<'b>(&'b self, parameters: &'b Parameters) -> Scope<'b> {
        Scope { parameters, conditions: self.conditions.clone(), ..*self }
    }

    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// A resource's properties. Numbers and booleans are as written: `"8000"` stays a string.
    pub fn properties(&self, logical: &str) -> Result<Map<String, Value>, EvaluateError> {
        self.map(self.members(logical)?)
    }

    /// The same before any resource exists: `null` is a value that is not known yet, or a dynamic reference.
    pub fn known_properties(&self, logical: &str) -> Result<Map<String, Value>, EvaluateError> {
        let foreseen = self.foreseen_map(self.members(logical)?)?;
        Ok(foreseen.into_iter().map(|(name, value)| (name, without_references(value))).collect())
    }

    /// A resource's properties as the template has them.
    pub(crate) fn members(&self, logical: &str) -> Result<&'a [(String, Expression)], EvaluateError> {
        match self.template.resources.get(logical).map(|resource| &resource.properties.form) {
            Some(Form::Map(entries)) => Ok(entries),
            _ => {
                Err(TemplateError::plain(format!("Resource {logical} does not exist in the template")).into())
            }
        }
    }

    /// A value as far as it is known now: `null` is a value that depends on a resource that does not exist yet.
    pub(crate) fn foreseen(&self, expression: &Expression) -> Evaluated {
        match &expression.form {
            Form::List(items) => {
                let known: Result<Vec<_>, _> = items.iter().map(|item| self.foreseen(item)).collect();
                Ok(Some(known?.into_iter().flatten().collect()))
            }
            Form::Map(entries) => Ok(Some(self.foreseen_map(entries)?.into())),
            Form::If { condition, then, otherwise } => match self.holds(condition) {
                Ok(truth) => self.foreseen(if truth { then } else { otherwise }),
                Err(EvaluateError::NotYet { .. }) => Ok(Some(Value::Null)),
                Err(error) => Err(error),
            },
            _ => match self.value(expression) {
                Err(EvaluateError::NotYet { .. }) => Ok(Some(Value::Null)),
                Ok(Some(value)) => {
                    dynamic::find(&value).map_err(|e| e.at(expression.at))?;
                    Ok(Some(value))
                }
                other => other,
            },
        }
    }

    fn foreseen_map(&self, entries: &[(String, Expression)]) -> Result<Map<String, Value>, EvaluateError> {
        let mut object = Map::new();
        for (key, expression) in entries {
            if let Some(value) = self.foreseen(expression)? {
                object.insert(key.clone(), value);
            }
        }
        Ok(object)
    }

    /// The outputs whose condition holds: name → (value, export name).
    pub fn outputs(&self) -> Result<BTreeMap<String, (String, Option<String>)>, EvaluateError> {
        let mut outputs = BTreeMap::new();
        for (name, output) in &self.template.outputs {
            if output.condition.as_ref().is_some_and(|c| !self.conditions.get(c).copied().unwrap_or(false)) {
                continue;
            }
            let Some(value) = self.value(&output.value)? else { continue };
            let value = text_of(&value).ok_or_else(|| {
                TemplateError::format(format!(
                    "The Value field of every Outputs member must evaluate to a String. ({name})"
                ))
            })?;
            let export = output.export.as_ref().map(|e| self.text(e, "Export Name")).transpose()?;
            outputs.insert(name.clone(), (value, export));
        }
        Ok(outputs)
    }

    /// Checks the assertions of the rules.
    pub fn check_rules(&self) -> Result<(), EvaluateError> {
        for (name, rule) in &self.template.rules {
            if let Some(condition) = &rule.condition
                && !self.truth(condition)?
            {
                continue;
            }
            for (assert, description) in &rule.assertions {
                if !self.truth(assert)? {
                    let why = description.as_deref().unwrap_or("an assertion is false");
                    return Err(TemplateError::plain(format!(
                        "Template validation error: Rule {name}: {why}"
                    ))
                    .into());
                }
            }
        }
        Ok(())
    }

    /// `None` is `AWS::NoValue`: the property or list item is left out.
    pub fn value(&self, expression: &Expression) -> Evaluated {
        let result = match &expression.form {
            Form::Scalar(scalar) => Ok(Some(scalar.value())),
            Form::List(items) => {
                let values: Result<Vec<_>, _> = items.iter().map(|item| self.value(item)).collect();
                values.map(|values| Some(values.into_iter().flatten().collect()))
            }
            Form::Map(entries) => self.map(entries).map(|members| Some(members.into())),
            Form::Ref(name) => self.reference(name),
            Form::GetAtt { resource, attribute } => {
                self.text(attribute, "Fn::GetAtt").and_then(|a| self.attribute(resource, &a)).map(Some)
            }
            Form::Sub { parts, variables } => self.sub(parts, variables).map(|text| Some(text.into())),
            Form::If { condition, then, otherwise } => {
                self.value(if self.holds(condition)? { then } else { otherwise })
            }
            Form::ToJsonString(value) => self.value(value).and_then(|value| match value {
                None | Some(Value::Object(_) | Value::Array(_)) => Ok(value.map(|v| v.to_string().into())),
                other => {
                    let message =
                        format!("Fn::ToJsonString needs an object or a list, got {}", type_name(&other));
                    Err(TemplateError::usage(message).into())
                }
            }),
            Form::Join { .. } | Form::Split { .. } | Form::Select { .. } | Form::Base64(_) => {
                self.text_function(&expression.form)
            }
            Form::FindInMap { map, key, second } => self.find_in_map(map, key, second).map(Some),
            Form::ImportValue(name) => {
                let name = self.text(name, "Fn::ImportValue")?;
                match self.environment.export(&name) {
                    Some(value) => Ok(Some(value.into())),
                    None if self.environment.lacks_exports() => {
                        Err(EvaluateError::NotYet { logical: name, attribute: None })
                    }
                    None => Err(TemplateError::plain(format!("No export named {name} found.")).into()),
                }
            }
            Form::Cidr { block, count, bits } => self.cidr(block, count, bits.as_deref()).map(Some),
            Form::GetAzs(region) => {
                let region = self.text(region, "Fn::GetAZs")?;
                let region = if region.is_empty() { &self.pseudo.region } else { &region };
                Ok(Some(self.environment.zones(region).into_iter().map(Value::from).collect()))
            }
            _ => self.truth(expression).map(|truth| Some(truth.into())),
        };
        result.map_err(|e| match e {
            EvaluateError::Template(e) => EvaluateError::Template(e.at(expression.at)),
            other => other,
        })
    }

    fn map(&self, entries: &[(String, Expression)]) -> Result<Map<String, Value>, EvaluateError> {
        let mut object = Map::new();
        for (key, expression) in entries {
            if let Some(value) = self.value(expression)? {
                object.insert(key.clone(), value);
            }
        }
        Ok(object)
    }

    fn reference(&self, name: &str) -> Evaluated {
        let pseudo = self.pseudo;
        let text = match name {
            "AWS::NoValue" => return Ok(None),
            "AWS::NotificationARNs" => return Ok(Some(pseudo.notification_arns.clone().into())),
            "AWS::AccountId" => &pseudo.account_id,
            "AWS::Partition" => &pseudo.partition,
            "AWS::Region" => &pseudo.region,
            "AWS::StackId" => &pseudo.stack_id,
            "AWS::StackName" => &pseudo.stack_name,
            "AWS::URLSuffix" => &pseudo.url_suffix,
            name => {
                if let Some(value) = self.parameters.get(name) {
                    return Ok(Some(value.clone()));
                }
                let value = self.environment.resource_ref(name);
                let not_yet = || EvaluateError::NotYet { logical: name.to_owned(), attribute: None };
                return value.map(Some).ok_or_else(not_yet);
            }
        };
        Ok(Some(text.clone().into()))
    }

    fn attribute(&self, logical: &str, attribute: &str) -> Result<Value, EvaluateError> {
        self.environment.get_att(logical, attribute)?.ok_or_else(|| EvaluateError::NotYet {
            logical: logical.to_owned(),
            attribute: Some(attribute.to_owned()),
        })
    }

    /// The name of a mapping or of a key in it, as written in the template.
    fn name(&self, expression: &Expression, function: &str) -> Result<String, EvaluateError> {
        match &expression.form {
            Form::Scalar(scalar) => Ok(scalar.text.clone()),
            _ => self.text(expression, function),
        }
    }

    /// A value that must be a string. A literal number keeps its digits as written.
    pub(super) fn text(&self, expression: &Expression, function: &str) -> Result<String, EvaluateError> {
        if let Form::Scalar(scalar) = &expression.form {
            return Ok(scalar.string().to_owned());
        }
        let value = self.value(expression)?;
        let text = value.as_ref().and_then(text_of);
        text.ok_or_else(|| {
            TemplateError::usage(format!("{function} needs a string, got {}", type_name(&value))).into()
        })
    }

    pub(super) fn texts(
        &self,
        expression: &Expression,
        function: &str,
    ) -> Result<Vec<String>, EvaluateError> {
        if let Form::List(items) = &expression.form {
            let mut texts = Vec::new();
            for item in items {
                match &item.form {
                    Form::Scalar(scalar) => texts.push(scalar.string().to_owned()),
                    _ => match self.value(item)? {
                        None => {}
                        // An item may be a list itself, such as `!Ref` of a list parameter: its items are inserted.
                        Some(Value::Array(inner)) => texts.extend(inner.iter().filter_map(text_of)),
                        // The value may contain a `NoEcho` parameter, so the error names only its type.
                        Some(value) => texts.push(text_of(&value).ok_or_else(|| {
                            let kind = type_name(&Some(value));
                            TemplateError::usage(format!(
                                "{function} needs a list of strings, got {kind} in it"
                            ))
                        })?),
                    },
                }
            }
            return Ok(texts);
        }
        let value = self.value(expression)?;
        let items = value.as_ref().and_then(Value::as_array).map(|items| items.iter().map(text_of).collect());
        items.flatten().ok_or_else(|| {
            TemplateError::usage(format!("{function} needs a list of strings, got {}", type_name(&value)))
                .into()
        })
    }

    fn sub(&self, parts: &[Part], variables: &[(String, Expression)]) -> Result<String, EvaluateError> {
        let mut text = String::new();
        for part in parts {
            let value = match part {
                Part::Text(piece) => {
                    text.push_str(piece);
                    continue;
                }
                Part::Name(name) => match variables.iter().find(|(variable, _)| variable == name) {
                    Some((_, expression)) => Some(self.text(expression, "Fn::Sub")?.into()),
                    None => self.reference(name)?,
                },
                Part::Attribute { resource, attribute } => Some(self.attribute(resource, attribute)?),
            };
            let piece = value.as_ref().and_then(text_of);
            text.push_str(&piece.ok_or_else(|| {
                TemplateError::usage(format!("Fn::Sub needs strings, got {} for {part}", type_name(&value)))
            })?);
        }
        Ok(text)
    }

    fn text_function(&self, form: &Form) -> Evaluated {
        Ok(Some(match form {
            Form::Join { delimiter, list } => self.texts(list, "Fn::Join")?.join(delimiter).into(),
            Form::Split { delimiter, text } => {
                self.text(text, "Fn::Split")?.split(delimiter.as_str()).map(Value::from).collect()
            }
            Form::Base64(text) => STANDARD.encode(self.text(text, "Fn::Base64")?).into(),
            Form::Select { index, list } => {
                let index = self.text(index, "Fn::Select")?;
                let Some(Value::Array(mut items)) = self.value(list)? else {
                    return Err(TemplateError::usage(
                        "Fn::Select requires a list argument with two elements: an integer index and a list",
                    )
                    .into());
                };
                let at =
                    index.trim().parse::<usize>().ok().filter(|at| *at < items.len()).ok_or_else(|| {
                        TemplateError::usage(format!(
                            "Fn::Select cannot select nonexistent value at index {index}"
                        ))
                    })?;
                items.swap_remove(at)
            }
            _ => return Ok(None),
        }))
    }

    fn find_in_map(
        &self,
        map: &Expression,
        key: &Expression,
        second: &Expression,
    ) -> Result<Value, EvaluateError> {
        let name = |e| self.name(e, "Fn::FindInMap");
        let (map, key, second) = (name(map)?, name(key)?, name(second)?);
        let Some(mapping) = self.template.mappings.get(&map) else {
            let message =
                format!("Mapping named '{map}' is not present in the 'Mappings' section of template.");
            return Err(TemplateError::usage(message).into());
        };
        mapping.get(&key).and_then(|attributes| attributes.get(&second)).cloned().ok_or_else(|| {
            TemplateError::usage(format!("Unable to get mapping for {map}::{key}::{second}")).into()
        })
    }

    /// The value of a mapping, if it has these keys.
    pub(super) fn mapped(&self, map: &str, key: &str, second: &str) -> Option<Value> {
        self.template.mappings.get(map)?.get(key)?.get(second).cloned()
    }

    fn cidr(
        &self,
        block: &Expression,
        count: &Expression,
        bits: Option<&Expression>,
    ) -> Result<Value, EvaluateError> {
        let block = self.text(block, "Fn::Cidr")?;
        let count = self.text(count, "Fn::Cidr")?;
        let bits = bits.map(|bits| self.text(bits, "Fn::Cidr")).transpose()?;
        Ok(network::cidr(&block, &count, bits.as_deref())?.into_iter().map(Value::from).collect())
    }
}

/// A scalar as text.
pub(crate) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The type of a value, for messages. They do not show the value itself because it may be a secret.
fn type_name(value: &Option<Value>) -> &'static str {
    match value {
        None => "AWS::NoValue",
        Some(Value::Array(_)) => "a list",
        Some(Value::Object(_)) => "an object",
        Some(_) => "a scalar",
    }
}

/// A dynamic reference is resolved only when the resource is created, so until then a text that contains one is `null`.
fn without_references(value: Value) -> Value {
    match value {
        Value::String(text)
            if dynamic::find(&Value::String(text.clone())).is_ok_and(|found| !found.is_empty()) =>
        {
            Value::Null
        }
        Value::Array(items) => items.into_iter().map(without_references).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, value)| (name, without_references(value))).collect()
        }
        scalar => scalar,
    }
}
