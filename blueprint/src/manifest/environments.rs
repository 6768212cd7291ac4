//! Merges an environment's overlay into the manifest's tree before anything is read from it. Nodes keep their places, so an
//! error in an overlay points into the overlay.

use super::{Environment, Origin, reader::Reader};
use crate::{
    problem::{Place, Problem, Source, nearest},
    yaml::{self, Key, Kind, Node},
};
use std::sync::Arc;

/// Maps whose keys are names that the user chose. An overlay may change an entry but not add one.
const NAMED: [&str; 3] = ["services", "database", "buckets"];

/// Keys that an overlay may use without their full path.
const SHORT: [(&str, &[&str]); 2] = [("nat", &["network", "nat"]), ("azs", &["network", "azs"])];

/// Every environment of the manifest; `local` always exists.
pub(crate) fn names(root: &Node) -> Vec<String> {
    let named = root.get("environments").map(Node::entries).unwrap_or_default();
    let others = named.iter().map(|(k, _)| k.text.clone()).filter(|name| name != "local");
    std::iter::once("local".to_owned()).chain(others).collect()
}

/// Reads the environment `name` and merges its overlay into `root`.
pub(crate) fn apply(r: &mut Reader, root: &mut Node, name: &str) -> Environment {
    let mut environment = Environment { name: name.to_owned(), region: None, account: None, protect: false };
    let Some(all) = root.get("environments").cloned() else { return environment };
    if !matches!(all.kind, Kind::Map(_)) {
        r.fault(all.place, "`environments` must be a map from names to overlays");
        return environment;
    }
    for (key, _) in all.entries() {
        r.name(key, "an environment", 20);
    }
    let Some(overlay) = all.get(name) else { return environment };
    if !matches!(overlay.kind, Kind::Map(_)) && !overlay.is_null() {
        r.fault(overlay.place, format!("environment `{name}` must be a map, not {}", overlay.noun()));
    }
    for (key, value) in overlay.entries() {
        match key.text.as_str() {
            "region" => {
                let word = |w: &str| {
                    !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
                };
                environment.region = r.text(value, "`region`");
                if environment
                    .region
                    .as_ref()
                    .is_some_and(|t| t.split('-').count() < 3 || !t.split('-').all(word))
                {
                    r.fault_hint(
                        value.place,
                        "`region` must be the name of an AWS region",
                        "write it like `eu-west-3`",
                    );
                }
            }
            "protect" => environment.protect = r.flag(value, "`protect`").unwrap_or_default(),
            "account" => {
                let digits = |t: &String| t.len() == 12 && t.chars().all(|c| c.is_ascii_digit());
                environment.account = r.text(value, "`account`");
                if environment.account.as_ref().is_some_and(|a| !digits(a)) {
                    r.fault(value.place, "`account` must be the 12 digits of an AWS account, in quotes");
                }
            }
            _ => overlay_path(r, root, key, value),
        }
    }
    environment
}

/// Adds `path=value` settings to the overlay of the environment `name`. Their text is appended after the manifest's last line,
/// so that an error can quote the setting.
pub(crate) fn with_settings(origin: &Origin, name: &str, settings: &[String]) -> Result<Origin, Problem> {
    let written = origin.source.text.lines().count();
    let line = |n: usize| Place { line: written + 1 + n, column: 1, length: 1 };
    let mut lines = Vec::new();
    for (n, setting) in settings.iter().enumerate() {
        let Some((path, value)) = setting.split_once('=') else {
            let given = Arc::new(Source { file: "--set".to_owned(), text: setting.clone() });
            let place = Place { line: 1, column: 1, length: setting.chars().count().max(1) };
            return Err(Problem::new(&given, place, format!("the setting {} has no `=`", n + 1))
                .hint("write PATH=VALUE, for example `database.db.engine=postgres 17`"));
        };
        let text = format!("{path}: {value}");
        let given = Arc::new(Source { file: "--set".to_owned(), text: text.clone() });
        let place = Place { line: 1, column: 1, length: text.chars().count() };
        yaml::parse(&given).map_err(|p| Problem::new(&given, place, p.message))?;
        lines.push(text);
    }
    let lines = lines.join("\n");
    let alone =
        Arc::new(Source { file: "--set".to_owned(), text: format!("{}{lines}", "\n".repeat(written)) });
    let text = origin.source.text.lines().chain([lines.as_str()]).collect::<Vec<_>>().join("\n");
    let source = Arc::new(Source { file: format!("{} and --set", origin.source.file), text });
    let Kind::Map(added) = yaml::parse(&alone)?.kind else { return Ok(origin.clone()) };
    let mut root = (*origin.root).clone();
    let environments = entry(&mut root, "environments", line(0));
    append(entry(environments, name, line(0)), added);
    Ok(Origin { source, root: Arc::new(root), files: origin.files.clone() })
}

fn append(node: &mut Node, added: Vec<(Key, Node)>) {
    match &mut node.kind {
        Kind::Map(entries) => entries.extend(added),
        kind => *kind = Kind::Map(added),
    }
}

/// The node below `key`, created if there is none.
fn entry<'n>(node: &'n mut Node, key: &str, place: Place) -> &'n mut Node {
    if !matches!(node.kind, Kind::Map(_)) {
        node.kind = Kind::Map(Vec::new());
    }
    let Kind::Map(entries) = &mut node.kind else { unreachable!("it was just made a map") };
    let at = entries.iter().position(|(k, _)| k.text == key).unwrap_or_else(|| {
        entries.push((Key { text: key.to_owned(), place }, Node::new(place, Kind::Map(Vec::new()))));
        entries.len() - 1
    });
    &mut entries[at].1
}

fn overlay_path(r: &mut Reader, root: &mut Node, key: &Key, value: &Node) {
    let written: Vec<&str> = key.text.split('.').collect();
    let path = SHORT.iter().find(|(word, _)| *word == key.text).map_or(written, |(_, path)| path.to_vec());
    let top = [
        "domain",
        "services",
        "database",
        "buckets",
        "network",
        "logs",
        "overrides",
        "region",
        "account",
        "protect",
        "nat",
        "azs",
    ];
    match path.first() {
        Some(first) if top.contains(first) => set(r, root, &path, 0, key, value),
        _ => {
            let first = path.first().copied().unwrap_or_default();
            let hint = match nearest(first, top) {
                Some(word) => format!("did you mean `{word}`?"),
                None => format!("a path starts with one of {}", top.join(", ")),
            };
            r.fault_hint(key.place, format!("an environment cannot set `{}`", key.text), hint);
        }
    }
}

/// Sets the value at `path[at..]` below `node`; `*` matches every name.
fn set(r: &mut Reader, node: &mut Node, path: &[&str], at: usize, key: &Key, value: &Node) {
    let Some(step) = path.get(at) else {
        *node = value.clone();
        return;
    };
    if step.is_empty() {
        return r.fault(key.place, format!("`{}` has an empty part", key.text));
    }
    if !matches!(node.kind, Kind::Map(_)) {
        // an overlay that sets a key of the long form replaces a short form (`health: /x`)
        *node = Node::new(key.place, Kind::Map(Vec::new()));
    }
    let Kind::Map(entries) = &mut node.kind else { return };
    let names = at == 1 && path.first().is_some_and(|first| NAMED.contains(first));
    if names && *step == "*" {
        for (_, below) in entries.iter_mut() {
            set(r, below, path, at + 1, key, value);
        }
        return;
    }
    if let Some((_, below)) = entries.iter_mut().find(|(k, _)| k.text == *step) {
        return set(r, below, path, at + 1, key, value);
    }
    if names {
        let known: Vec<&str> = entries.iter().map(|(k, _)| k.text.as_str()).collect();
        let hint = match nearest(step, known.iter().copied()) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("the known names are {}", known.join(", ")),
        };
        return r.fault_hint(key.place, format!("there is no `{step}` in `{}`", path[0]), hint);
    }
    let mut below = Node::new(key.place, Kind::Map(Vec::new()));
    set(r, &mut below, path, at + 1, key, value);
    entries.push((Key { text: (*step).to_owned(), place: key.place }, below));
}
