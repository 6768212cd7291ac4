//! The Parameters section: declarations, and the check of values against them.

use super::error::{Position, TemplateError};
use super::node::Node;
use escale_base::limits::template as limits;
use escale_tables::cloudformation::ParameterKey;
use indexmap::IndexMap;
use serde_json::Value;
use std::{collections::BTreeMap, fmt};

#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub at: Position,
    pub kind: ParameterKind,
    /// The type as written.
    pub type_name: String,
    pub default: Option<String>,
    pub description: Option<String>,
    pub no_echo: bool,
    constraints: Constraints,
}

#[derive(Clone, Debug, PartialEq, Default)]
struct Constraints {
    allowed_values: Option<Vec<String>>,
    allowed_pattern: Option<String>,
    min_length: Option<u64>,
    max_length: Option<u64>,
    min_value: Option<f64>,
    max_value: Option<f64>,
    description: Option<String>,
}

/// The form of a parameter's values. Values of AWS-specific types are strings, which the resource types check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    String,
    Number,
    /// `CommaDelimitedList` and `List<…>` of strings.
    List,
    NumberList,
    /// `AWS::SSM::Parameter::Value<…>`: the value is a key in the parameter store. `list` if the stored value is a list.
    Ssm {
        list: bool,
    },
}

/// Values of parameters by name, as `Ref` returns them: strings or lists of strings.
pub type Parameters = BTreeMap<String, Value>;

/// Checked values. Those from the parameter store may still be missing.
#[derive(Clone, Default, PartialEq)]
pub struct Bound {
    pub values: Parameters,
    /// Parameter name → key in the parameter store. Give each value to [`Bound::resolve`].
    pub ssm: BTreeMap<String, String>,
    ssm_lists: Vec<String>,
}

/// Shows only names: values may be `NoEcho`.
impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).entries(self.ssm.keys()).finish()
    }
}

impl Bound {
    /// Sets the value that the parameter store has for `name`.
    pub fn resolve(&mut self, name: &str, stored: &str) {
        if self.ssm.remove(name).is_some() {
            let is_list = self.ssm_lists.iter().any(|n| n == name);
            let value = if is_list { split(stored) } else { stored.into() };
            self.values.insert(name.to_owned(), value);
        }
    }
}

/// Checks the given values and fills in the defaults.
pub(crate) fn bind(
    declared: &IndexMap<String, Parameter>,
    given: &BTreeMap<ParameterKey, String>,
) -> Result<Bound, TemplateError> {
    let unknown: Vec<&str> =
        given.keys().map(ParameterKey::as_str).filter(|k| !declared.contains_key(*k)).collect();
    if !unknown.is_empty() {
        return Err(TemplateError::plain(format!(
            "Parameters: [{}] do not exist in the template",
            unknown.join(", ")
        )));
    }
    let value =
        |name: &String, p: &Parameter| given.get(name.as_str()).cloned().or_else(|| p.default.clone());
    let missing: Vec<&str> =
        declared.iter().filter(|(n, p)| value(n, p).is_none()).map(|(n, _)| n.as_str()).collect();
    if !missing.is_empty() {
        return Err(TemplateError::plain(format!("Parameters: [{}] must have values", missing.join(", "))));
    }
    let mut bound = Bound::default();
    for (name, parameter) in declared {
        let Some(text) = value(name, parameter) else { continue };
        parameter.check(name, &text)?;
        match parameter.kind {
            ParameterKind::Ssm { list } => {
                if list {
                    bound.ssm_lists.push(name.clone());
                }
                bound.ssm.insert(name.clone(), text);
            }
            ParameterKind::List | ParameterKind::NumberList => {
                drop(bound.values.insert(name.clone(), split(&text)))
            }
            ParameterKind::String | ParameterKind::Number => {
                drop(bound.values.insert(name.clone(), text.into()))
            }
        }
    }
    Ok(bound)
}

fn split(text: &str) -> Value {
    text.split(',').map(|item| Value::from(item.trim())).collect()
}

impl Parameter {
    pub fn allowed_values(&self) -> Option<&[String]> {
        self.constraints.allowed_values.as_deref()
    }

    pub fn constraint_description(&self) -> Option<&str> {
        self.constraints.description.as_deref()
    }

    fn check(&self, name: &str, text: &str) -> Result<(), TemplateError> {
        let Constraints {
            allowed_values,
            allowed_pattern,
            min_length,
            max_length,
            min_value,
            max_value,
            description,
        } = &self.constraints;
        let refuse = |what: String| {
            Err(TemplateError::plain(match description {
                Some(description) => format!("Parameter {name} failed to satisfy constraint: {description}"),
                None => format!("Parameter '{name}' {what}"),
            })
            .at(self.at))
        };
        if text.len() > limits::PARAMETER_BYTES {
            return Err(TemplateError::plain(format!(
                "Parameter '{name}' is {} bytes long; the limit is {}",
                text.len(),
                limits::PARAMETER_BYTES
            )));
        }
        let is_list = matches!(self.kind, ParameterKind::List | ParameterKind::NumberList);
        let items: Vec<&str> = if is_list { text.split(',').map(str::trim).collect() } else { vec![text] };
        for item in items {
            if allowed_values.as_ref().is_some_and(|allowed| !allowed.iter().any(|a| a == item)) {
                return refuse("must be one of AllowedValues".to_owned());
            }
            if let Some(pattern) = allowed_pattern
                && !compile(name, pattern)?.is_match(item).unwrap_or(false)
            {
                return refuse(format!("must match pattern {pattern}"));
            }
            let chars = item.chars().count() as u64;
            if min_length.is_some_and(|min| chars < min) {
                return refuse(format!("must contain at least {} characters", min_length.unwrap_or(0)));
            }
            if max_length.is_some_and(|max| chars > max) {
                return refuse(format!("must contain at most {} characters", max_length.unwrap_or(0)));
            }
            if matches!(self.kind, ParameterKind::Number | ParameterKind::NumberList) {
                let Some(number) = item.parse::<f64>().ok().filter(|n| n.is_finite()) else {
                    return Err(
                        TemplateError::plain(format!("Parameter '{name}' must be a number")).at(self.at)
                    );
                };
                if let Some(min) = min_value.filter(|min| number < *min) {
                    return refuse(format!("must be a number not less than {min}"));
                }
                if let Some(max) = max_value.filter(|max| number > *max) {
                    return refuse(format!("must be a number not greater than {max}"));
                }
            }
        }
        Ok(())
    }
}

/// Reads one declaration.
pub(crate) fn read(name: &str, node: &Node) -> Result<Parameter, TemplateError> {
    let wrong = |message: String| TemplateError::format(message).at(node.place);
    let entries = node.map().ok_or_else(|| wrong("Every Parameters member must be an object.".to_owned()))?;
    let (mut type_name, mut default, mut description, mut no_echo) = (None, None, None, false);
    let mut constraints = Constraints::default();
    for (key, value) in entries {
        let text = || match value.string() {
            Some(text) => Ok(text.to_owned()),
            None => Err(wrong(format!("Every {} member must be a string.", key.text)).at(value.place)),
        };
        let bad_number = || wrong(format!("{} of parameter {name} must be a number", key.text));
        match key.text.as_str() {
            "Type" => type_name = Some(text()?),
            "Default" => default = Some(text()?),
            "Description" => description = Some(text()?),
            "ConstraintDescription" => constraints.description = Some(text()?),
            "AllowedPattern" => {
                compile(name, &text()?).map_err(|e| e.at(value.place))?;
                constraints.allowed_pattern = Some(text()?);
            }
            "AllowedValues" => {
                let items: Option<Vec<String>> = value
                    .list()
                    .and_then(|items| items.iter().map(|i| i.string().map(str::to_owned)).collect());
                let items =
                    items.ok_or_else(|| wrong("AllowedValues must be a list of strings.".to_owned()))?;
                constraints.allowed_values = Some(items);
            }
            "NoEcho" => {
                no_echo = match text()?.to_ascii_lowercase().as_str() {
                    "true" => true,
                    "false" => false,
                    _ => return Err(wrong(format!("NoEcho of parameter {name} must be true or false"))),
                }
            }
            "MinLength" => constraints.min_length = Some(text()?.parse().map_err(|_| bad_number())?),
            "MaxLength" => constraints.max_length = Some(text()?.parse().map_err(|_| bad_number())?),
            "MinValue" => constraints.min_value = Some(text()?.parse().map_err(|_| bad_number())?),
            "MaxValue" => constraints.max_value = Some(text()?.parse().map_err(|_| bad_number())?),
            other => {
                return Err(TemplateError::plain(format!("Invalid template parameter property '{other}'"))
                    .at(key.place));
            }
        }
    }
    let type_name =
        type_name.ok_or_else(|| wrong("Every Parameters object must contain a Type member.".to_owned()))?;
    let kind = kind(&type_name).ok_or_else(|| wrong(format!("Unrecognized parameter type: {type_name}")))?;
    let parameter = Parameter { at: node.place, kind, type_name, default, description, no_echo, constraints };
    if let Some(default) = &parameter.default {
        parameter.check(name, default)?;
    }
    Ok(parameter)
}

/// Source: "Supported AWS-specific parameter types" in the user guide.
fn kind(name: &str) -> Option<ParameterKind> {
    const AWS_TYPES: &[&str] = &[
        "AWS::EC2::AvailabilityZone::Name",
        "AWS::EC2::Image::Id",
        "AWS::EC2::Instance::Id",
        "AWS::EC2::KeyPair::KeyName",
        "AWS::EC2::SecurityGroup::GroupName",
        "AWS::EC2::SecurityGroup::Id",
        "AWS::EC2::Subnet::Id",
        "AWS::EC2::Volume::Id",
        "AWS::EC2::VPC::Id",
        "AWS::Route53::HostedZone::Id",
        "AWS::SSM::Parameter::Name",
    ];
    let inside = |prefix: &str| name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix('>'));
    if let Some(stored) = inside("AWS::SSM::Parameter::Value<") {
        // AWS accepts any type here, as it does in `List<…>`: the stored value is not checked against it.
        let list = stored == "CommaDelimitedList" || stored.starts_with("List<");
        return Some(ParameterKind::Ssm { list });
    }
    match inside("List<") {
        Some("Number") => Some(ParameterKind::NumberList),
        Some(_) => Some(ParameterKind::List),
        None => match name {
            "String" => Some(ParameterKind::String),
            "Number" => Some(ParameterKind::Number),
            "CommaDelimitedList" => Some(ParameterKind::List),
            other => AWS_TYPES.contains(&other).then_some(ParameterKind::String),
        },
    }
}

fn compile(name: &str, pattern: &str) -> Result<escale_pattern::Regex, TemplateError> {
    escale_pattern::compile(pattern).map_err(|e| {
        TemplateError::format(format!("AllowedPattern of parameter {name} is not a regular expression: {e}"))
    })
}
