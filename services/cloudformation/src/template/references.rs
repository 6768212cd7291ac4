//! The names that expressions refer to, and the check that they exist.

use super::error::TemplateError;
use super::expression::{Block, Expression, Form, Part};
use super::sections::Template;
use std::collections::{BTreeMap, BTreeSet};

/// Values of conditions by name.
pub type Conditions = BTreeMap<String, bool>;

/// One use of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use<'a> {
    /// `Ref`, or `${Name}`: a parameter, a pseudo parameter or a resource.
    Ref(&'a str),
    /// `Fn::GetAtt`, or `${Name.Attribute}`. The attribute is not known if it is an expression of its own.
    GetAtt {
        resource: &'a str,
        attribute: Option<&'a str>,
    },
    Condition(&'a str),
    /// A mapping with a literal name.
    Map(&'a str),
}

pub(crate) const PSEUDO: &[&str] = &[
    "AWS::AccountId",
    "AWS::NotificationARNs",
    "AWS::NoValue",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];

/// Calls `visit` for every name in an expression. With the conditions' values it skips the branches of `Fn::If` not chosen.
pub(crate) fn walk<'a>(
    expression: &'a Expression,
    chosen: Option<&Conditions>,
    visit: &mut dyn FnMut(Use<'a>),
) {
    let mut each = |items: &[&'a Expression]| items.iter().for_each(|item| walk(item, chosen, visit));
    match &expression.form {
        Form::Scalar(_) => {}
        Form::List(items) | Form::And(items) | Form::Or(items) => each(&items.iter().collect::<Vec<_>>()),
        Form::Map(entries) => each(&entries.iter().map(|(_, value)| value).collect::<Vec<_>>()),
        Form::Ref(name) => visit(Use::Ref(name)),
        Form::GetAtt { resource, attribute } => {
            each(&[attribute]);
            let attribute = match &attribute.form {
                Form::Scalar(name) => Some(name.text.as_str()),
                _ => None,
            };
            visit(Use::GetAtt { resource, attribute });
        }
        Form::Sub { parts, variables } => {
            each(&variables.iter().map(|(_, value)| value).collect::<Vec<_>>());
            for part in parts {
                match part {
                    Part::Name(name) if !variables.iter().any(|(v, _)| v == name) => visit(Use::Ref(name)),
                    Part::Attribute { resource, attribute } => {
                        visit(Use::GetAtt { resource, attribute: Some(attribute) });
                    }
                    Part::Name(_) | Part::Text(_) => {}
                }
            }
        }
        Form::If { condition, then, otherwise } => {
            match chosen.and_then(|conditions| conditions.get(condition)) {
                Some(true) => each(&[then]),
                Some(false) => each(&[otherwise]),
                None => each(&[then, otherwise]),
            }
            visit(Use::Condition(condition));
        }
        Form::FindInMap { map, key, second } => {
            each(&[map, key, second]);
            if let Form::Scalar(name) = &map.form {
                visit(Use::Map(&name.text));
            }
        }
        Form::Condition(name) => visit(Use::Condition(name)),
        Form::ToJsonString(a) | Form::Not(a) | Form::ImportValue(a) | Form::Base64(a) | Form::GetAzs(a) => {
            each(&[a])
        }
        Form::Join { list: a, .. } | Form::Split { text: a, .. } => each(&[a]),
        Form::Select { index: a, list: b } | Form::Equals(a, b) => each(&[a, b]),
        Form::Contains { list: a, value: b }
        | Form::EachMemberEquals { list: a, value: b }
        | Form::EachMemberIn { list: a, among: b } => each(&[a, b]),
        Form::Cidr { block, count, bits } => {
            each(&[block, count]);
            bits.iter().for_each(|bits| each(&[bits]));
        }
    }
}

/// Checks that all names exist.
pub(crate) fn check(template: &Template) -> Result<(), TemplateError> {
    check_conditions(template)?;
    let mut rules = Names::new(template, Block::Rules);
    for rule in template.rules.values() {
        rule.condition.iter().for_each(|e| rules.add(e));
        rule.assertions.iter().for_each(|(e, _)| rules.add(e));
    }
    rules.verdict()?;
    let mut resources = Names::new(template, Block::Resources);
    for resource in template.resources.values() {
        resources.add(&resource.properties);
        resource.metadata.iter().for_each(|e| resources.add(e));
        resource.depends_on.iter().for_each(|name| resources.depends(name));
        resource.condition.iter().for_each(|name| resources.condition(name));
    }
    resources.verdict()?;
    let mut outputs = Names::new(template, Block::Outputs);
    for output in template.outputs.values() {
        outputs.add(&output.value);
        output.export.iter().for_each(|e| outputs.add(e));
        output.condition.iter().for_each(|name| outputs.condition(name));
    }
    outputs.verdict()
}

/// The same for conditions only.
pub(crate) fn check_conditions(template: &Template) -> Result<(), TemplateError> {
    let mut conditions = Names::new(template, Block::Conditions);
    template.conditions.values().for_each(|e| conditions.add(e));
    conditions.verdict()
}

/// The names in one section that the template does not define.
struct Names<'a> {
    template: &'a Template,
    block: Block,
    unresolved: BTreeSet<String>,
    error: Option<TemplateError>,
}

impl<'a> Names<'a> {
    fn new(template: &'a Template, block: Block) -> Names<'a> {
        Names { template, block, unresolved: BTreeSet::new(), error: None }
    }

    fn add(&mut self, expression: &Expression) {
        let mut uses = Vec::new();
        walk(expression, None, &mut |used| uses.push(used));
        for used in uses {
            match used {
                Use::Ref(name) => {
                    if !PSEUDO.contains(&name) && !self.template.parameters.contains_key(name) {
                        self.depends(name);
                    }
                }
                Use::GetAtt { resource: name, .. }
                    if self.sees_resources() && !self.template.resources.contains_key(name) =>
                {
                    let message = format!("instance of Fn::GetAtt references undefined resource {name}");
                    self.fail(TemplateError::usage(message).at(expression.at));
                }
                Use::GetAtt { resource: name, .. } => self.depends(name),
                Use::Condition(name) => self.condition(name),
                Use::Map(name) => {
                    if !self.template.mappings.contains_key(name) {
                        let message = format!(
                            "Mapping named '{name}' is not present in the 'Mappings' section of template."
                        );
                        self.fail(TemplateError::usage(message).at(expression.at));
                    }
                }
            }
        }
    }

    fn sees_resources(&self) -> bool {
        matches!(self.block, Block::Resources | Block::Outputs)
    }

    fn depends(&mut self, name: &str) {
        if !self.sees_resources() || !self.template.resources.contains_key(name) {
            self.unresolved.insert(name.to_owned());
        }
    }

    fn condition(&mut self, name: &str) {
        if !self.template.conditions.contains_key(name) {
            let block = self.block.name();
            let message =
                format!("Unresolved condition dependency {name} in the {block} block of the template");
            self.fail(TemplateError::format(message));
        }
    }

    fn fail(&mut self, error: TemplateError) {
        self.error.get_or_insert(error);
    }

    fn verdict(self) -> Result<(), TemplateError> {
        if !self.unresolved.is_empty() {
            let names = self.unresolved.into_iter().collect::<Vec<_>>().join(", ");
            let block = self.block.name();
            return Err(TemplateError::format(match self.block {
                Block::Resources | Block::Outputs => {
                    format!("Unresolved resource dependencies [{names}] in the {block} block of the template")
                }
                Block::Conditions | Block::Rules => format!(
                    "Unresolved dependencies [{names}]. Cannot reference resources in the {block} block of the template"
                ),
            }));
        }
        self.error.map_or(Ok(()), Err)
    }
}
