//! The evaluated resources of a template, with references where only the deployment knows a value.
//!
//! A value that refers to a resource contains a [`Reference`] instead of an id. A value that cannot be evaluated is `null`, and the
//! survey's list of unknowns names it with its line.

use escale_cloudformation::template::{
    self, Environment, EvaluateError, Expression, Known, Origin, Pseudo, RemovalPolicy, Scope, Template,
    TemplateError, expression::Form,
};
use escale_tables::cloudformation::ParameterKey;
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Map, Value};
use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
};

/// Values of parameters by name.
pub type Given = BTreeMap<ParameterKey, String>;

/// Where a template is thought to be deployed.
#[derive(Clone, Debug)]
pub struct Setting {
    pub region: String,
    /// The names of the region's zones, in order.
    pub zones: Vec<String>,
    pub account: String,
    pub stack: String,
}

#[derive(Clone, Debug)]
pub struct Survey {
    pub region: String,
    pub stack: String,
    pub resources: IndexMap<String, Resource>,
    pub unknown: Vec<Unknown>,
}

#[derive(Clone, Debug)]
pub struct Resource {
    pub id: String,
    /// `AWS::EC2::VPC`.
    pub kind: String,
    pub line: usize,
    /// Always an object.
    pub properties: Value,
    /// The lines of the properties.
    pub lines: BTreeMap<String, usize>,
    pub deletion_policy: Option<RemovalPolicy>,
}

/// What the verbs do not know, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unknown {
    /// 0 if it is not about one line.
    pub line: usize,
    pub what: String,
}

/// Encloses a reference in a text. The private use area is for such agreements.
const OPEN: char = '\u{e000}';
const CLOSE: char = '\u{e001}';

/// The part of a text that only the deployment knows: `Ref`, `Fn::GetAtt`, a parameter or an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The logical id; of something outside of the template, `parameter NAME` or `export NAME`.
    pub to: String,
    pub attribute: Option<String>,
}

impl Survey {
    /// Evaluates a template with these values of its parameters and the defaults of the others.
    pub fn of_template(text: &str, given: &Given, setting: &Setting) -> Result<Survey, TemplateError> {
        let source = template::read(text, Origin::File)?;
        let bound = source.bind_known(given)?;
        let pseudo = pseudo(setting);
        let outside = Outside {
            template: None,
            parameters: source.parameters.keys().cloned().collect(),
            zones: setting.zones.clone(),
            region: setting.region.clone(),
            is_conditions: Cell::new(true),
            depth: Cell::new(0),
            given: &bound.values,
            pseudo: &pseudo,
        };
        let known = Known { parameters: &bound.values, pseudo: &pseudo, environment: &outside };
        let is_complete = source.parameters.keys().all(|name| bound.values.contains_key(name));
        let template = if is_complete { source.process(known)?.template } else { source.outline(known)? };
        let outside = Outside { template: Some(&template), ..outside };
        let scope = Scope::of_known(&template, &bound.values, &pseudo, &outside);
        outside.is_conditions.set(false);
        let mut survey = Survey {
            region: setting.region.clone(),
            stack: setting.stack.clone(),
            resources: IndexMap::new(),
            unknown: Vec::new(),
        };
        for (id, resource) in &template.resources {
            let holds = resource.condition.as_ref().map(|name| (name, scope.conditions().get(name)));
            match holds {
                Some((_, Some(false))) => continue,
                Some((name, None)) => survey.unknown.push(Unknown {
                    line: resource.at.line,
                    what: format!(
                        "{id} exists only if the condition {name} holds, which depends on parameters without a value: it is \
                         treated as existing"
                    ),
                }),
                None | Some((_, Some(true))) => {}
            }
            let Form::Map(entries) = &resource.properties.form else { continue };
            let mut reading = Reading { scope: &scope, id, unknown: &mut survey.unknown };
            let properties = reading.map(entries);
            let lines = entries.iter().map(|(name, value)| (name.clone(), value.at.line)).collect();
            survey.resources.insert(
                id.clone(),
                Resource {
                    id: id.clone(),
                    kind: resource.type_name.clone(),
                    line: resource.at.line,
                    properties: properties.into(),
                    lines,
                    deletion_policy: resource.deletion_policy,
                },
            );
        }
        survey.unknown.sort();
        survey.unknown.dedup();
        Ok(survey)
    }

    pub fn of_kind<'a>(&'a self, kind: &str) -> impl Iterator<Item = &'a Resource> + use<'a> {
        let kind = kind.to_owned();
        self.resources.values().filter(move |r| r.kind == kind)
    }

    /// The resource of this kind to which a value refers first.
    pub fn referred<'a>(&'a self, value: &Value, kind: &str) -> Option<&'a Resource> {
        references(value).iter().find_map(|r| self.resources.get(&r.to).filter(|found| found.kind == kind))
    }
}

impl Resource {
    pub fn get(&self, path: &str) -> &Value {
        self.properties.pointer(path).unwrap_or(&Value::Null)
    }

    pub fn text(&self, path: &str) -> Option<String> {
        text_of(self.get(path))
    }

    pub fn number(&self, path: &str) -> Option<f64> {
        number_of(self.get(path))
    }

    /// Templates write booleans as `true` and as `"true"`.
    pub fn is_true(&self, path: &str) -> bool {
        self.text(path).is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }

    /// The line of a property, or that of the resource.
    pub fn line_of(&self, property: &str) -> usize {
        self.lines.get(property).copied().unwrap_or(self.line)
    }
}

/// A scalar that is known completely.
pub fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.contains(OPEN) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

pub fn number_of(value: &Value) -> Option<f64> {
    text_of(value)?.trim().parse().ok()
}

/// A text for people: references are shown as `${Name}`.
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.replace(OPEN, "${").replace(CLOSE, "}"),
        Value::Null => "unknown".to_owned(),
        other => other.to_string(),
    }
}

/// All references in a value, in order.
pub fn references(value: &Value) -> Vec<Reference> {
    let mut found = Vec::new();
    collect(value, &mut found);
    found
}

fn collect(value: &Value, found: &mut Vec<Reference>) {
    match value {
        Value::String(text) => {
            for piece in text.split(OPEN).skip(1) {
                let inner = piece.split(CLOSE).next().unwrap_or_default();
                let (to, attribute) = match inner.split_once('.') {
                    Some((to, attribute)) if !to.contains(' ') => (to, Some(attribute.to_owned())),
                    _ => (inner, None),
                };
                found.push(Reference { to: to.to_owned(), attribute });
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(members) => members.values().for_each(|member| collect(member, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn pseudo(setting: &Setting) -> Pseudo {
    let Setting { region, account, stack, .. } = setting;
    Pseudo {
        account_id: account.clone(),
        notification_arns: Vec::new(),
        partition: "aws".to_owned(),
        region: region.clone(),
        stack_id: format!(
            "arn:aws:cloudformation:{region}:{account}:stack/{stack}/00000000-0000-0000-0000-000000000000"
        ),
        stack_name: stack.clone(),
        url_suffix: "amazonaws.com".to_owned(),
    }
}

/// Evaluates properties one by one: what cannot be evaluated leaves the rest intact.
struct Reading<'a> {
    scope: &'a Scope<'a>,
    id: &'a str,
    unknown: &'a mut Vec<Unknown>,
}

impl Reading<'_> {
    fn map(&mut self, entries: &[(String, Expression)]) -> Map<String, Value> {
        let mut object = Map::new();
        for (name, expression) in entries {
            if let Some(value) = self.value(name, expression) {
                object.insert(name.clone(), value);
            }
        }
        object
    }

    fn value(&mut self, name: &str, expression: &Expression) -> Option<Value> {
        match &expression.form {
            Form::List(items) => {
                let items: Vec<Value> = items.iter().filter_map(|item| self.value(name, item)).collect();
                // A list parameter in a list is inserted.
                let flat = items.into_iter().flat_map(|item| match item {
                    Value::Array(inner) => inner,
                    one => vec![one],
                });
                Some(flat.collect())
            }
            Form::Map(entries) => Some(self.map(entries).into()),
            Form::If { condition, then, otherwise } => match self.scope.conditions().get(condition) {
                Some(true) => self.value(name, then),
                Some(false) => self.value(name, otherwise),
                None => {
                    self.note(name, expression, &format!("the condition {condition} is not known"));
                    Some(Value::Null)
                }
            },
            _ => match self.scope.value(expression) {
                Ok(value) => value,
                Err(error) => {
                    self.note(name, expression, &error.to_string());
                    Some(Value::Null)
                }
            },
        }
    }

    fn note(&mut self, name: &str, expression: &Expression, why: &str) {
        let what = format!("{}: {name} is not known: {why}", self.id);
        self.unknown.push(Unknown { line: expression.at.line, what });
    }
}

/// Represents everything that a template reads besides itself.
struct Outside<'a> {
    template: Option<&'a Template>,
    parameters: BTreeSet<String>,
    zones: Vec<String>,
    region: String,
    /// While conditions are evaluated, a parameter without a value must stay unknown instead of becoming a reference.
    is_conditions: Cell<bool>,
    /// Bounds attributes that lead to attributes.
    depth: Cell<usize>,
    given: &'a template::Parameters,
    pseudo: &'a Pseudo,
}

const DEPTH: usize = 8;

fn reference(text: &str) -> Value {
    format!("{OPEN}{text}{CLOSE}").into()
}

impl Environment for Outside<'_> {
    fn resource_ref(&self, logical: &str) -> Option<Value> {
        if self.template.is_some_and(|t| t.resources.contains_key(logical)) {
            return Some(reference(logical));
        }
        let is_open = self.parameters.contains(logical) && !self.is_conditions.get();
        is_open.then(|| reference(&format!("parameter {logical}")))
    }

    /// An attribute that is a property of the same name has the property's value: `CidrBlock` of a VPC.
    fn get_att(&self, logical: &str, attribute: &str) -> Result<Option<Value>, TemplateError> {
        let resource = self.template.and_then(|t| t.resources.get(logical));
        if let Some(Form::Map(entries)) = resource.map(|r| &r.properties.form)
            && let Some((_, expression)) = entries.iter().find(|(name, _)| name == attribute)
            && let Some(template) = self.template
            && self.depth.get() < DEPTH
        {
            self.depth.set(self.depth.get() + 1);
            let scope = Scope::of_known(template, self.given, self.pseudo, self);
            let value = scope.value(expression);
            self.depth.set(self.depth.get() - 1);
            match value {
                Ok(Some(value)) => return Ok(Some(value)),
                Ok(None) | Err(EvaluateError::NotYet { .. } | EvaluateError::Template(_)) => {}
            }
        }
        // The CDK takes such an ARN apart to name an image.
        if attribute == "Arn" && resource.is_some_and(|r| r.type_name == "AWS::ECR::Repository") {
            let Pseudo { region, account_id, .. } = self.pseudo;
            let arn = format!("arn:aws:ecr:{region}:{account_id}:repository/{OPEN}{logical}{CLOSE}");
            return Ok(Some(arn.into()));
        }
        Ok(Some(reference(&format!("{logical}.{attribute}"))))
    }

    fn export(&self, name: &str) -> Option<String> {
        // The name may contain references of its own: one within another could not be read.
        let name = name.replace(&format!("{OPEN}parameter "), "${").replace(OPEN, "${").replace(CLOSE, "}");
        Some(format!("{OPEN}export {name}{CLOSE}"))
    }

    fn lacks_exports(&self) -> bool {
        true
    }

    fn zones(&self, region: &str) -> Vec<String> {
        if region.is_empty() || region == self.region { self.zones.clone() } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    /// Stacks that import name the exporting stack by a parameter.
    #[test]
    fn the_name_of_an_import_may_have_references_of_its_own() {
        let text = "Parameters: { Network: { Type: String } }\nResources:\n  Web:\n    Type: AWS::ECS::Service\n    Properties:\n      \
                    Cluster: !ImportValue { 'Fn::Sub': '${Network}:Cluster' }\n";
        let survey = Survey::of_template(text, &Given::new(), &samples::setting("us-east-1")).unwrap();
        let value = survey.resources["Web"].get("/Cluster");
        let found: Vec<String> = references(value).into_iter().map(|r| r.to).collect();
        assert_eq!(found, ["export ${Network}:Cluster"]);
    }
}
