//! The review: rules by the pillars of the Well-Architected Framework, each finding with its resource, line, reason and fix.
//!
//! <https://docs.aws.amazon.com/wellarchitected/latest/framework/the-pillars-of-the-framework.html>. A rule that depends on a value
//! that is not known reports nothing; the survey's unknowns list the value. Start at `rules`.

mod french;
pub mod reach;
mod reliability;
mod rest;
mod security;
#[cfg(test)]
mod tests;

use crate::{
    graph::Architecture,
    language::Language,
    survey::{Resource, Survey},
};
use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pillar {
    Security,
    Reliability,
    Operations,
    Performance,
    Cost,
    Sustainability,
}

impl Pillar {
    pub fn name(self) -> &'static str {
        match self {
            Pillar::Security => "Security",
            Pillar::Reliability => "Reliability",
            Pillar::Operations => "Operational excellence",
            Pillar::Performance => "Performance efficiency",
            Pillar::Cost => "Cost optimization",
            Pillar::Sustainability => "Sustainability",
        }
    }

    /// The name in documents.
    pub fn name_in(self, language: Language) -> &'static str {
        language.of(french::pillar(self), self.name())
    }
}

/// A public control that checks the same, with the page that defines it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Control {
    pub id: &'static str,
    pub page: &'static str,
}

pub struct Rule {
    pub id: &'static str,
    pub pillar: Pillar,
    /// What holds if there is no finding.
    pub title: &'static str,
    pub fix: &'static str,
    pub control: Option<Control>,
    check: Check,
}

impl Rule {
    /// Its title and its fix.
    pub fn words(&self, language: Language) -> (&'static str, &'static str) {
        let english = (self.title, self.fix);
        language.of(french::of(self.id).unwrap_or(english), english)
    }
}

type Check = fn(&Survey, &Architecture) -> Vec<Spot>;

/// Where a rule is broken, and why.
pub(crate) struct Spot {
    resource: String,
    line: usize,
    reason: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    pub rule: &'static str,
    pub pillar: Pillar,
    pub title: &'static str,
    pub resource: String,
    pub line: usize,
    pub reason: String,
    pub fix: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control: Option<Control>,
}

/// All rules, by pillar.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    security::RULES.iter().chain(reliability::RULES).chain(rest::RULES)
}

pub fn review(survey: &Survey, arch: &Architecture) -> Vec<Finding> {
    let found = rules().flat_map(|rule| {
        (rule.check)(survey, arch).into_iter().map(|spot| Finding {
            rule: rule.id,
            pillar: rule.pillar,
            title: rule.title,
            resource: spot.resource,
            line: spot.line,
            reason: spot.reason,
            fix: rule.fix,
            control: rule.control,
        })
    });
    found.collect()
}

fn spot(resource: &Resource, property: &str, reason: impl Into<String>) -> Spot {
    Spot { resource: resource.id.clone(), line: resource.line_of(property), reason: reason.into() }
}

/// The spots of all resources of a type for which a check has a reason.
fn each(
    survey: &Survey,
    kind: &str,
    property: &str,
    reason: impl Fn(&Resource) -> Option<String>,
) -> Vec<Spot> {
    survey.of_kind(kind).filter_map(|r| reason(r).map(|why| spot(r, property, why))).collect()
}

/// Whether a property is missing, or known not to be true. An unknown value is neither.
fn is_off(resource: &Resource, path: &str) -> bool {
    match resource.properties.pointer(path) {
        None => true,
        Some(value) => crate::survey::text_of(value).is_some_and(|text| !text.eq_ignore_ascii_case("true")),
    }
}
