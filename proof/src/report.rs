//! The investors' document: one HTML file with the architecture, each component and why it is there, and the evidence.
//!
//! Every figure is written by `Page::figure` with its source: a line of the template, the bill, or the id of a measurement. Without a
//! measurement a section says how to make it. Start at [`write()`].

mod evidence;
mod html;
#[cfg(test)]
mod tests;
mod words;

use crate::{
    cost::Bill,
    graph::{Architecture, Tier},
    review::{Finding, reach::Computed},
};
use html::Page;
use serde_json::Value;
use words::{COMPONENTS, Component, t};

pub use crate::language::Language;

/// The output of a verb with `--json`, as evidence.
pub struct Measurement {
    /// The name of its file.
    pub id: String,
    pub value: Value,
}

impl Measurement {
    /// Of none of these kinds, it is no evidence.
    pub fn is_evidence(&self) -> bool {
        self.is_of_a_drill() || self.is_of_a_probe() || self.is_of_backups() || self.is_of_a_restore()
    }

    fn is_of_a_drill(&self) -> bool {
        self.value["drill"].is_string()
    }

    fn is_of_a_probe(&self) -> bool {
        self.value["reachability"]["probed"].is_object()
    }

    fn is_of_backups(&self) -> bool {
        self.value["recovery_point_seconds"].is_number()
    }

    fn is_of_a_restore(&self) -> bool {
        self.value["restore_seconds"].is_number()
    }
}

pub struct Input<'a> {
    pub language: Language,
    /// Where the architecture comes from.
    pub source: &'a str,
    pub architecture: &'a Architecture,
    pub bill: &'a Bill,
    pub bill_at_ten: &'a Bill,
    pub reachable: &'a [Computed],
    pub findings: &'a [Finding],
    /// The diagram as SVG, in light colours.
    pub diagram: &'a str,
    pub measurements: &'a [Measurement],
}

pub fn write(input: &Input<'_>) -> String {
    let mut page = Page::new(input.language, &input.architecture.name);
    page.paragraph(t(
        input.language,
        "Ce document décrit l’architecture, le rôle de chaque composant et les preuves recueillies. Chaque chiffre porte sa source : une \
         ligne du modèle, le devis ou l’identifiant d’une mesure.",
        "This document describes the architecture, the part that each component plays, and the evidence. Each figure has its source: a \
         line of the template, the bill, or the id of a measurement.",
    ));
    page.heading(t(input.language, "Architecture", "Architecture"));
    // First, because the picture fills a page of its own.
    summary(&mut page, input);
    page.picture(input.diagram);
    page.heading(t(input.language, "Les composants", "The components"));
    let (present, absent): (Vec<&Component>, Vec<&Component>) =
        COMPONENTS.iter().partition(|component| !present(input.architecture, component).is_empty());
    for component in present {
        describe(&mut page, input, component);
    }
    if !absent.is_empty() {
        let names: Vec<&str> = absent.iter().map(|component| component.name).collect();
        let none = t(input.language, "Absents de cette architecture", "This architecture does without");
        page.labelled(none, &format!("{}.", names.join(", ")));
    }
    page.heading(t(input.language, "Les preuves", "The evidence"));
    evidence::all(&mut page, input);
    page.heading(t(input.language, "Ce que ce document ignore", "What this document does not know"));
    unknown(&mut page, input);
    page.finish(input.source)
}

fn summary(page: &mut Page, input: &Input<'_>) {
    let arch = input.architecture;
    let first = |lines: Vec<usize>| format!("{}:{}", input.source, lines.into_iter().min().unwrap_or(0));
    let subnets = || arch.vpcs.iter().flat_map(|v| &v.subnets).map(|s| s.line).collect();
    let services = || arch.services.iter().map(|s| s.line).collect();
    let zones = arch.vpcs.iter().map(|v| v.zones.len()).max().unwrap_or(0);
    let tasks: u32 = arch.services.iter().map(|s| s.count).sum();
    let rows = [
        (t(input.language, "zones de disponibilité", "availability zones"), zones, first(subnets())),
        (t(input.language, "services ECS", "ECS services"), arch.services.len(), first(services())),
        (t(input.language, "tâches", "tasks"), tasks as usize, first(services())),
        (
            t(input.language, "bases de données", "databases"),
            arch.databases.len(),
            first(arch.databases.iter().map(|d| d.line).collect()),
        ),
    ];
    page.open("table");
    for (what, number, source) in rows {
        page.open("tr");
        page.cell(what);
        page.figure_cell(&number.to_string(), &source);
        page.close("tr");
    }
    page.close("table");
}

/// Whether the architecture has a component, and the name of its resources.
fn present(arch: &Architecture, component: &Component) -> Vec<String> {
    let of = |ids: Vec<&String>| ids.into_iter().cloned().collect();
    match component.key {
        "ecs" => of(arch.services.iter().map(|s| &s.name).collect()),
        "alb" => of(arch.balancers.iter().filter(|b| b.kind == "application").map(|b| &b.id).collect()),
        "nlb" => of(arch.balancers.iter().filter(|b| b.kind == "network").map(|b| &b.id).collect()),
        "rds" => of(arch.databases.iter().map(|d| &d.id).collect()),
        "s3" => {
            let mut all: Vec<String> = of(arch.buckets.iter().map(|b| &b.id).collect());
            all.extend(arch.distributions.iter().map(|d| d.id.clone()));
            all
        }
        "route53" => of(arch.dns_zones.iter().map(|z| &z.name).collect()),
        "ecr" => of(arch.repositories.iter().collect()),
        "vpc" => arch.vpcs.iter().map(|v| v.name.clone()).collect(),
        "igw" => arch.vpcs.iter().filter_map(|v| v.internet_gateway.clone()).collect(),
        "nat" => of(arch.nats.iter().map(|n| &n.id).collect()),
        _ => Vec::new(),
    }
}

fn describe(page: &mut Page, input: &Input<'_>, component: &Component) {
    let names = present(input.architecture, component);
    page.open("section");
    page.subheading(component.name);
    page.names(&names);
    let text = |pair: (&'static str, &'static str)| t(input.language, pair.0, pair.1);
    for (french, english, pair) in [
        ("Son rôle ici", "What it does here", component.role),
        ("Pourquoi", "Why", component.why),
        ("Valeur ajoutée", "Added value", component.value),
        ("Avantage", "Advantage", component.advantage),
    ] {
        page.labelled(t(input.language, french, english), text(pair));
    }
    page.close("section");
}

fn unknown(page: &mut Page, input: &Input<'_>) {
    let mut all: Vec<String> = input.architecture.unknown.iter().map(|u| u.what.clone()).collect();
    let mut items: Vec<String> = input
        .bill
        .lines
        .iter()
        .filter(|line| line.monthly_usd.is_none())
        .map(|line| {
            let what = input.language.of(&line.french, &line.what);
            format!(
                "{} {what} ({})",
                t(input.language, "prix sans source :", "price without a source:"),
                line.item
            )
        })
        .collect();
    items.sort();
    items.dedup();
    all.extend(items);
    if all.is_empty() {
        page.paragraph(t(input.language, "Rien n’a été relevé.", "Nothing was found."));
    }
    page.list(&all);
}

/// Whether anything of the application is in a private subnet.
fn has_private_parts(arch: &Architecture) -> bool {
    arch.vpcs.iter().flat_map(|vpc| &vpc.subnets).any(|s| s.tier != Tier::Public)
}
