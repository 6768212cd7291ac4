//! Parses, checks and evaluates templates. Pure functions: no I/O, no clock, no other service.
//!
//! [`read`] returns a [`Source`]; [`Source::process`] runs its transform. [`parse`] does both for a template without one. The result
//! is a [`Template`] whose syntax and references are valid. [`Template::bind`] checks the parameters' values; a
//! [`Scope`] evaluates conditions, rules, properties and outputs; [`Template::plan`] computes the order in which the
//! resources can be created; [`dynamic`] finds the `{{resolve:…}}` references left in evaluated values.
//!
//! It never reads an SSM parameter, secret or export itself. The caller passes them through [`Bound::resolve`],
//! [`dynamic::replace`] and [`Environment`]. Start at [`sections`].

pub mod dynamic;
pub mod error;
pub mod evaluate;
mod expand;
pub mod expression;
pub mod graph;
mod json;
mod logic;
mod network;
pub mod node;
pub mod parameter;
pub mod references;
pub mod sections;
pub mod summary;
#[cfg(test)]
mod tests;
pub mod transform;
mod yaml;

pub use dynamic::DynamicReference;
pub use error::{Position, TemplateError};
pub use evaluate::{Environment, EvaluateError, Pseudo, Scope};
pub use expression::Expression;
pub use graph::Plan;
pub use node::Node;
pub use parameter::{Bound, Parameter, ParameterKind, Parameters};
pub use references::Conditions;
pub use sections::{Output, RemovalPolicy, Resource, Rule, Template};
pub use summary::Capabilities;
pub use transform::{Known, Processed, Source};

use escale_base::limits::template as limits;
use escale_tables::cloudformation::ParameterKey;
use std::collections::BTreeMap;

/// The source of a template. It determines the maximum size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `TemplateBody`: 51,200 bytes.
    Body,
    /// `TemplateURL`, fetched from S3: 1 MB.
    File,
}

/// Parses a template in JSON or YAML and checks everything that does not depend on parameters.
///
/// Of templates with a transform it accepts the processed text only: [`read`] and [`Source::process`] make it.
pub fn parse(text: &str, origin: Origin) -> Result<Template, TemplateError> {
    read(text, origin)?.plain()
}

/// Parses a template in JSON or YAML whose transform has not run.
pub fn read(text: &str, origin: Origin) -> Result<Source, TemplateError> {
    let (limit, place) = match origin {
        Origin::Body => (limits::BODY_BYTES, "templateBody"),
        Origin::File => (limits::FILE_BYTES, "templateURL"),
    };
    if text.is_empty() || text.len() > limit {
        let bound = if text.is_empty() {
            "greater than or equal to 1".into()
        } else {
            format!("less than or equal to {limit}")
        };
        return Err(TemplateError::plain(format!(
            "1 validation error detected: Value at '{place}' failed to satisfy constraint: Member must have length {bound}"
        )));
    }
    transform::read(tree(text)?)
}

/// The text as a tree, with functions in their long form.
pub fn tree(text: &str) -> Result<Node, TemplateError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('{') { json::parse(text) } else { yaml::parse(text) }
}

impl Template {
    /// Checks the given values against the Parameters section and fills in the defaults.
    pub fn bind(&self, given: &BTreeMap<ParameterKey, String>) -> Result<Bound, TemplateError> {
        parameter::bind(&self.parameters, given)
    }

    /// The resources whose conditions hold, and the order in which to create them.
    pub fn plan(&self, conditions: &Conditions) -> Result<Plan, TemplateError> {
        Plan::new(self, conditions)
    }
}
