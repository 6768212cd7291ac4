//! `escale check`: what Escale would do with each resource and property of a template, of a synthesised CDK application, or of the
//! template that a manifest becomes. Needs no daemon and changes nothing.

use super::{
    Output,
    application::LOCAL,
    templates::{self, Source, key_value},
};
use crate::{cloud, planes};
use anyhow::{Context, Result, bail};
use clap::Args;
use escale_base::ids;
use escale_cloudformation::check::{
    CheckedResource, Note, Place, Presence, Report, Support, check, parameters,
};
use escale_service::Cloud;
use escale_store::Store;
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, path::PathBuf, process::ExitCode};

/// The longest line of the report for a person.
const WIDTH: usize = 100;

/// The longest name that the column of the types makes room for.
const NAME_WIDTH: usize = 50;

#[derive(Args)]
pub(crate) struct Check {
    /// A CloudFormation template, the folder of a synthesised CDK application (`cdk.out`, or its parent), or the folder of an
    /// escale.yaml. For a manifest, the report has the lines of the output of `escale template`.
    #[arg(value_name = "TEMPLATE|FOLDER")]
    path: PathBuf,
    /// The environment of the manifest for which the template is made.
    #[arg(long, default_value = LOCAL)]
    environment: String,
    /// Values of parameters, as for `aws cloudformation deploy`; the others have their defaults.
    #[arg(long, value_name = "KEY=VALUE", num_args = 1.., value_parser = key_value)]
    parameter_overrides: Vec<(String, String)>,
}

/// One template and its report.
struct Checked {
    /// As the user would open it.
    file: String,
    report: Report,
}

pub(crate) fn run(out: &Output, args: &Check) -> Result<ExitCode> {
    let sources = templates::sources(&args.path, &args.environment)?;
    let declared: BTreeSet<String> = sources.iter().flat_map(|source| parameters(&source.text)).collect();
    if let Some((key, _)) = args.parameter_overrides.iter().find(|(key, _)| !declared.contains(key)) {
        bail!("no template has the parameter {key}");
    }
    let cloud = cloud::services_only()?;
    let one = |source: &Source| checked(&cloud, source, &args.parameter_overrides);
    let all = sources.iter().map(one).collect::<Result<Vec<_>>>()?;
    let refused = all.iter().any(|one| one.report.is_refused());
    let texts: Vec<String> = all.iter().map(|one| in_words(&one.file, &one.report)).collect();
    let list: Result<Vec<Value>, _> = all.iter().map(as_json).collect();
    out.say(&texts.join("\n\n"), &json!({"refused": refused, "templates": list?}));
    Ok(if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn as_json(one: &Checked) -> serde_json::Result<Value> {
    let mut value = serde_json::to_value(&one.report)?;
    (value["file"], value["refused"]) = (one.file.as_str().into(), one.report.is_refused().into());
    Ok(value)
}

fn checked(cloud: &Cloud, source: &Source, given: &[(String, String)]) -> Result<Checked> {
    let text = &source.text;
    // A parameter of another stack of the application is none of this one.
    let declared = parameters(text);
    let given = source.values.iter().chain(given).filter(|(key, _)| declared.contains(key));
    let given = given.map(|(key, value)| (key.as_str().into(), value.clone())).collect();
    let scratch = Scratch::new()?;
    let store = Store::open(&scratch.0.join("state.db"), &escale_tables::all())
        .with_context(|| format!("cannot write to {}", scratch.0.display()))?;
    escale_rds::store_installed(&store, &planes::postgres_majors())?;
    Ok(Checked { file: source.file.clone(), report: check(cloud, &store, text, &given) })
}

/// A folder for the trial's state, which is removed afterwards.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Scratch> {
        let folder = std::env::temp_dir().join(format!("escale-check-{}", ids::random_hex(16)));
        fs::create_dir(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(Scratch(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left is a small file in the folder for temporary files.
        drop(fs::remove_dir_all(&self.0));
    }
}

/// The report for a person: the same reason is printed once, with all places that it applies to.
fn in_words(file: &str, report: &Report) -> String {
    let resources = &report.resources;
    let refused = resources.iter().filter(|r| r.is_refused()).count();
    let skipped = resources.iter().filter(|r| r.created == Presence::No).count();
    let summary = match (report.errors.is_empty(), resources.len() - skipped, refused) {
        (false, ..) => "Escale refuses this template".to_owned(),
        (true, all, 0) => format!("{}, all supported", counted(all, "resource")),
        (true, all, refused) => format!("{refused} of {} refused", counted(all, "resource")),
    };
    let mut lines = vec![format!("{file}: {summary}")];
    if skipped > 0 {
        lines.push(format!("  {} not created, because of a condition", counted(skipped, "more resource")));
    }
    let errors = report.errors.iter().map(in_group);
    section(&mut lines, "Refused", errors.chain(refusals(resources)).collect());
    section(&mut lines, "Recorded only: stored and shown, without effect here", recorded(resources));
    section(&mut lines, "Before the deployment", report.notes.iter().map(in_group).collect());
    lines.join("\n")
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// What a reason applies to: the place, the name, and the type.
type Object = (Place, String, String);

/// A text and, if it is a reason, what it applies to.
type Entry = (String, Option<Object>);

fn in_group(note: &Note) -> Entry {
    match note.place {
        Some(place) => (format!("line {}: {}", place.line, note.message), None),
        None => (note.message.clone(), None),
    }
}

fn refusals(resources: &[CheckedResource]) -> Vec<Entry> {
    entries(resources, |support| match support {
        Support::Refused { reason } => Some(reason),
        Support::Enacted | Support::Recorded { .. } => None,
    })
}

fn recorded(resources: &[CheckedResource]) -> Vec<Entry> {
    entries(resources, |support| match support {
        Support::Recorded { reason } => Some(reason),
        Support::Enacted | Support::Refused { .. } => None,
    })
}

fn entries(resources: &[CheckedResource], reason: fn(&Support) -> Option<&String>) -> Vec<Entry> {
    let mut all = Vec::new();
    for resource in resources.iter().filter(|r| r.created != Presence::No) {
        // The path of the construct says more than the logical id that the CDK makes of it.
        let id = resource.cdk_path.as_ref().unwrap_or(&resource.logical_id);
        if let Some(reason) = reason(&resource.support) {
            all.push((reason.clone(), Some((resource.place, id.clone(), resource.type_name.clone()))));
        }
        for property in &resource.properties {
            if let Some(reason) = reason(&property.support) {
                let name = match property.name.as_str() {
                    "Properties" => id.clone(),
                    other => format!("{id}: {other}"),
                };
                all.push((reason.clone(), Some((property.place, name, resource.type_name.clone()))));
            }
        }
    }
    all
}

fn section(lines: &mut Vec<String>, title: &str, entries: Vec<Entry>) {
    if entries.is_empty() {
        return;
    }
    lines.push(format!("  {title}:"));
    let mut groups: Vec<(String, Vec<Object>)> = Vec::new();
    for (text, place) in entries {
        match groups.iter_mut().find(|(known, _)| *known == text) {
            Some((_, places)) => places.extend(place),
            None => groups.push((text, place.into_iter().collect())),
        }
    }
    for (text, places) in groups {
        lines.extend(wrapped(&text, "    "));
        // One long name must not move the types of all others out of the window.
        let widths =
            places.iter().map(|(_, name, _)| name.chars().count()).filter(|width| *width <= NAME_WIDTH);
        let width = widths.max().unwrap_or_default();
        for (place, name, kind) in places {
            let line = format!("line {}", place.line);
            lines.push(format!("      {line:<9} {name:<width$}  {kind}"));
        }
    }
}

/// Breaks a text between words.
fn wrapped(text: &str, indent: &str) -> Vec<String> {
    let mut lines = vec![indent.to_owned()];
    for word in text.split_whitespace() {
        let last = lines.last().map_or(0, |line| line.chars().count());
        if last > indent.len() && last + 1 + word.chars().count() > WIDTH {
            lines.push(indent.to_owned());
        }
        if let Some(line) = lines.last_mut() {
            if line.len() > indent.len() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}
