//! Expressions: literals and CloudFormation's functions. Reading an expression checks the arguments of its functions.

use super::error::{Position, TemplateError};
use super::node::{Kind, Node, Scalar};
use std::fmt;

/// A value that may need evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    pub at: Position,
    pub form: Form,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    Scalar(Scalar),
    List(Vec<Expression>),
    Map(Vec<(String, Expression)>),
    Ref(String),
    GetAtt {
        resource: String,
        attribute: Box<Expression>,
    },
    Sub {
        parts: Vec<Part>,
        variables: Vec<(String, Expression)>,
    },
    Join {
        delimiter: String,
        list: Box<Expression>,
    },
    Split {
        delimiter: String,
        text: Box<Expression>,
    },
    Select {
        index: Box<Expression>,
        list: Box<Expression>,
    },
    If {
        condition: String,
        then: Box<Expression>,
        otherwise: Box<Expression>,
    },
    FindInMap {
        map: Box<Expression>,
        key: Box<Expression>,
        second: Box<Expression>,
    },
    ImportValue(Box<Expression>),
    Base64(Box<Expression>),
    /// Only in templates with the transform `AWS::LanguageExtensions`, for values that are not known when it runs.
    ToJsonString(Box<Expression>),
    Cidr {
        block: Box<Expression>,
        count: Box<Expression>,
        bits: Option<Box<Expression>>,
    },
    GetAzs(Box<Expression>),
    Condition(String),
    Equals(Box<Expression>, Box<Expression>),
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Not(Box<Expression>),
    Contains {
        list: Box<Expression>,
        value: Box<Expression>,
    },
    EachMemberEquals {
        list: Box<Expression>,
        value: Box<Expression>,
    },
    EachMemberIn {
        list: Box<Expression>,
        among: Box<Expression>,
    },
}

/// A piece of a `Fn::Sub` text.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    Text(String),
    /// `${Name}`: a variable, a parameter, a pseudo parameter or a resource.
    Name(String),
    /// `${Resource.Attribute}`.
    Attribute {
        resource: String,
        attribute: String,
    },
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Text(text) => f.write_str(text),
            Part::Name(name) => write!(f, "${{{name}}}"),
            Part::Attribute { resource, attribute } => write!(f, "${{{resource}.{attribute}}}"),
        }
    }
}

/// The section of the template that contains an expression. It determines which functions are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    Conditions,
    Rules,
    Resources,
    Outputs,
}

impl Block {
    pub fn name(self) -> &'static str {
        match self {
            Block::Conditions => "Conditions",
            Block::Rules => "Rules",
            Block::Resources => "Resources",
            Block::Outputs => "Outputs",
        }
    }

    fn is_logic(self) -> bool {
        matches!(self, Block::Conditions | Block::Rules)
    }
}

/// Reads an expression. Nesting is bounded by the parsers.
pub(crate) fn read(node: &Node, block: Block) -> Result<Expression, TemplateError> {
    let form = match &node.kind {
        Kind::Scalar(scalar) => Form::Scalar(scalar.clone()),
        Kind::List(items) => Form::List(all(items, block)?),
        Kind::Map(entries) => match entries.as_slice() {
            [(key, argument)] if is_function(&key.text, argument, block) => {
                function(&key.text, argument, block).map_err(|e| e.at(key.place))?
            }
            entries => {
                if let Some((key, _)) = entries.iter().find(|(key, _)| key.text.starts_with("Fn::")) {
                    let message = format!("{} must be the only key of its object ({})", key.text, key.place);
                    return Err(TemplateError::format(message).at(key.place));
                }
                let read = |(key, node): &(_, Node)| -> Result<(String, Expression), TemplateError> {
                    let key: &super::node::Key = key;
                    Ok((key.text.clone(), read(node, block)?))
                };
                Form::Map(entries.iter().map(read).collect::<Result<_, _>>()?)
            }
        },
    };
    Ok(Expression { at: node.place, form })
}

/// `Condition` is a function only in conditions and rules: elsewhere it is a key of an IAM policy.
fn is_function(key: &str, argument: &Node, block: Block) -> bool {
    key == "Ref"
        || key.starts_with("Fn::")
        || key == "Condition" && block.is_logic() && argument.text().is_some()
}

fn all(items: &[Node], block: Block) -> Result<Vec<Expression>, TemplateError> {
    items.iter().map(|item| read(item, block)).collect()
}

fn function(name: &str, argument: &Node, block: Block) -> Result<Form, TemplateError> {
    let one = |node: &Node| read(node, block).map(Box::new);
    let text = || argument.text().map(str::to_owned);
    let wrong = || usage(name);
    let logic = matches!(
        name,
        "Fn::Equals"
            | "Fn::And"
            | "Fn::Or"
            | "Fn::Not"
            | "Fn::Contains"
            | "Fn::EachMemberEquals"
            | "Fn::EachMemberIn"
    );
    if logic && !block.is_logic() {
        let message =
            format!("{name} is not allowed in the {} block: define a condition and use Fn::If", block.name());
        return Err(TemplateError::usage(message));
    }
    let items = argument.list();
    Ok(match (name, items) {
        ("Ref", _) => Form::Ref(text().ok_or_else(wrong)?),
        ("Condition", _) => Form::Condition(text().ok_or_else(wrong)?),
        ("Fn::GetAtt", _) => get_att(argument, block)?,
        ("Fn::Sub", _) => sub(argument, block)?,
        ("Fn::ImportValue", _) => Form::ImportValue(one(argument)?),
        ("Fn::Base64", _) => Form::Base64(one(argument)?),
        ("Fn::ToJsonString", _) if argument.scalar().is_none() => Form::ToJsonString(one(argument)?),
        ("Fn::GetAZs", _) => Form::GetAzs(one(argument)?),
        ("Fn::Join", Some([delimiter, list])) => {
            Form::Join { delimiter: delimiter.text().ok_or_else(wrong)?.to_owned(), list: one(list)? }
        }
        ("Fn::Split", Some([delimiter, text])) => {
            let delimiter = delimiter.text().filter(|d| !d.is_empty()).ok_or_else(wrong)?.to_owned();
            Form::Split { delimiter, text: one(text)? }
        }
        ("Fn::Select", Some([index, list])) => Form::Select { index: one(index)?, list: one(list)? },
        ("Fn::If", Some([condition, then, otherwise])) => {
            let condition = condition.text().ok_or_else(wrong)?.to_owned();
            Form::If { condition, then: one(then)?, otherwise: one(otherwise)? }
        }
        ("Fn::FindInMap", Some([map, key, second])) => {
            Form::FindInMap { map: one(map)?, key: one(key)?, second: one(second)? }
        }
        ("Fn::Cidr", Some([block, count])) => {
            Form::Cidr { block: one(block)?, count: one(count)?, bits: None }
        }
        ("Fn::Cidr", Some([block, count, bits])) => {
            Form::Cidr { block: one(block)?, count: one(count)?, bits: Some(one(bits)?) }
        }
        ("Fn::Equals", Some([a, b])) => Form::Equals(one(a)?, one(b)?),
        ("Fn::Not", Some([a])) => Form::Not(one(a)?),
        ("Fn::And", Some(items @ [_, _, ..])) if items.len() <= 10 => Form::And(all(items, block)?),
        ("Fn::Or", Some(items @ [_, _, ..])) if items.len() <= 10 => Form::Or(all(items, block)?),
        ("Fn::Contains", Some([list, value])) => Form::Contains { list: one(list)?, value: one(value)? },
        ("Fn::EachMemberEquals", Some([list, value])) => {
            Form::EachMemberEquals { list: one(list)?, value: one(value)? }
        }
        ("Fn::EachMemberIn", Some([list, among])) => {
            Form::EachMemberIn { list: one(list)?, among: one(among)? }
        }
        _ => return Err(wrong()),
    })
}

fn get_att(argument: &Node, block: Block) -> Result<Form, TemplateError> {
    let wrong = || usage("Fn::GetAtt");
    let scalar = |text: &str| {
        let form = Form::Scalar(Scalar { text: text.to_owned(), plain: false });
        Box::new(Expression { at: argument.place, form })
    };
    let (resource, attribute) = match &argument.kind {
        Kind::Scalar(Scalar { text, .. }) => {
            let (resource, attribute) = text.split_once('.').ok_or_else(wrong)?;
            if attribute.is_empty() {
                return Err(wrong());
            }
            (resource.to_owned(), scalar(attribute))
        }
        Kind::List(items) => match items.as_slice() {
            [resource, attribute] => {
                let attribute = read(attribute, block)?;
                if !matches!(attribute.form, Form::Scalar(_) | Form::Ref(_)) {
                    return Err(wrong());
                }
                (resource.text().ok_or_else(wrong)?.to_owned(), Box::new(attribute))
            }
            // `[DB, Endpoint, Address]` is the same as `DB.Endpoint.Address`.
            [resource, rest @ ..] if rest.len() > 1 => {
                let rest: Option<Vec<&str>> = rest.iter().map(Node::text).collect();
                let attribute = scalar(&rest.ok_or_else(wrong)?.join("."));
                (resource.text().ok_or_else(wrong)?.to_owned(), attribute)
            }
            _ => return Err(wrong()),
        },
        Kind::Map(_) => return Err(wrong()),
    };
    if resource.is_empty() { Err(wrong()) } else { Ok(Form::GetAtt { resource, attribute }) }
}

fn sub(argument: &Node, block: Block) -> Result<Form, TemplateError> {
    let wrong = || usage("Fn::Sub");
    let (text, variables) = match &argument.kind {
        Kind::Scalar(scalar) => (scalar.text.as_str(), Vec::new()),
        Kind::List(items) => match items.as_slice() {
            [text, variables] => {
                let read =
                    |(key, node): &(super::node::Key, Node)| Ok((key.text.clone(), read(node, block)?));
                let variables = variables.map().ok_or_else(wrong)?.iter().map(read);
                let variables = variables.collect::<Result<Vec<_>, TemplateError>>()?;
                (text.text().ok_or_else(wrong)?, variables)
            }
            _ => return Err(wrong()),
        },
        Kind::Map(_) => return Err(wrong()),
    };
    let parts = sub_parts(text, |name| variables.iter().any(|(variable, _)| variable == name))?;
    Ok(Form::Sub { parts, variables })
}

/// Splits the text of `Fn::Sub`. `${!Literal}` becomes `${Literal}`; a `$` without a brace is plain text.
fn sub_parts(mut text: &str, is_variable: impl Fn(&str) -> bool) -> Result<Vec<Part>, TemplateError> {
    let mut parts = Vec::new();
    while let Some(start) = text.find("${") {
        let Some(length) = text[start + 2..].find('}') else { break };
        let (before, name) = (&text[..start], &text[start + 2..start + 2 + length]);
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        text = &text[start + 2 + length + 1..];
        if let Some(literal) = name.strip_prefix('!') {
            parts.push(Part::Text(format!("${{{literal}}}")));
            continue;
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':');
        if name.is_empty() || !name.chars().all(allowed) {
            return Err(TemplateError::usage(
                "variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, \
                 periods, and colons",
            ));
        }
        // A variable's name may contain a dot, so variables have precedence over attributes.
        parts.push(match name.split_once('.') {
            Some((resource, attribute)) if !is_variable(name) => {
                Part::Attribute { resource: resource.to_owned(), attribute: attribute.to_owned() }
            }
            _ => Part::Name(name.to_owned()),
        });
    }
    if !text.is_empty() {
        parts.push(Part::Text(text.to_owned()));
    }
    Ok(parts)
}

/// AWS's error for a function with wrong arguments.
fn usage(name: &str) -> TemplateError {
    TemplateError::usage(match name {
        "Ref" => "every Ref object must have a single String value.",
        "Condition" => "every Condition member must be a string.",
        "Fn::GetAtt" => {
            "every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute"
        }
        "Fn::Sub" => {
            "One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first \
             argument, and an optional second argument to specify a mapping of values to replace in the string"
        }
        "Fn::Join" => {
            "every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be \
             joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined."
        }
        "Fn::Split" => {
            "every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or \
             a function that returns a string to be split."
        }
        "Fn::Select" => "Fn::Select requires a list argument with two elements: an integer index and a list",
        "Fn::If" => "Fn::If requires a list argument with three elements: a condition name and two values",
        "Fn::FindInMap" => {
            "every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for \
             return value"
        }
        "Fn::Cidr" => {
            "every Fn::Cidr object requires two or three parameters, the IP block, the count and the CIDR bits"
        }
        "Fn::Equals" => "every Fn::Equals object requires a list of 2 string parameters.",
        "Fn::Not" => "every Fn::Not object requires one boolean parameter.",
        "Fn::And" => "every Fn::And object requires a list of at least 2 and at most 10 boolean parameters.",
        "Fn::Or" => "every Fn::Or object requires a list of at least 2 and at most 10 boolean parameters.",
        "Fn::Contains" | "Fn::EachMemberEquals" | "Fn::EachMemberIn" => {
            return TemplateError::usage(format!("every {name} object requires a list of 2 parameters."));
        }
        "Fn::ToJsonString" => "every Fn::ToJsonString object requires an object or a list",
        "Fn::Transform" => {
            return TemplateError::not_supported("The function Fn::Transform")
                .hint("Write the result of the transform into the template");
        }
        "Fn::RefAll" | "Fn::ValueOf" | "Fn::ValueOfAll" => {
            return TemplateError::not_supported(format_args!("The function {name}"));
        }
        "Fn::Length" => "Fn::Length is not allowed here",
        other if other.starts_with("Fn::ForEach") => {
            "Fn::ForEach is allowed in the sections Resources, Conditions and Outputs only"
        }
        other => return TemplateError::format(format!("{other} is not a function")),
    })
}
