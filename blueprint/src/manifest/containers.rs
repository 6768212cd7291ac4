//! What the containers of a task have in common: commands, variables, the order in which they start.

use super::{Dependency, Sidecar, Until, reader::Reader};
use crate::{
    problem::{Place, nearest},
    yaml::{Kind, Node},
};
use std::collections::BTreeMap;

/// Reads a command: a list of arguments, or text that is split at spaces. No shell runs it.
pub(super) fn command(r: &mut Reader, node: &Node, what: &str) -> Option<Vec<String>> {
    if let Kind::List(items) = &node.kind {
        let words: Vec<String> = items.iter().filter_map(|item| r.text(item, what)).collect();
        if words.is_empty() {
            r.fault(node.place, format!("{what} names no program"));
        }
        return Some(words);
    }
    let text = r.text(node, what)?;
    match words(&text) {
        Ok(words) if !words.is_empty() => Some(words),
        Ok(_) => {
            r.fault(node.place, format!("{what} names no program"));
            None
        }
        Err(Some(letter)) => {
            r.fault_hint(
                node.place,
                format!("{what} is run without a shell, so `{letter}` would have no meaning"),
                "write it as a list, with a shell of the image if it is needed: `[sh, -c, \"…\"]`",
            );
            None
        }
        Err(None) => {
            r.fault(node.place, format!("{what} has a quote that is not closed"));
            None
        }
    }
}

/// Splits at spaces, except within quotes. The error is a letter that only a shell understands, or none for an open quote.
fn words(text: &str) -> Result<Vec<String>, Option<char>> {
    let (mut words, mut word, mut open) = (Vec::new(), None::<String>, None);
    for letter in text.chars() {
        match (open, letter) {
            (Some(quote), _) if letter == quote => open = None,
            (Some('\''), _) => word.get_or_insert_default().push(letter),
            (_, '$' | '`' | '\\') => return Err(Some(letter)),
            (Some(_), _) => word.get_or_insert_default().push(letter),
            (None, '\'' | '"') => {
                word.get_or_insert_default();
                open = Some(letter);
            }
            (None, '|' | '&' | ';' | '<' | '>' | '(' | ')' | '*' | '?' | '~' | '#') => {
                return Err(Some(letter));
            }
            (None, _) if letter.is_whitespace() => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    if open.is_some() { Err(None) } else { Ok(words) }
}

pub(super) fn env(r: &mut Reader, node: &Node) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    r.fields(node, "`env`");
    for (key, value) in node.entries() {
        r.variable(&key.text, key.place);
        if value.is_null() {
            env.insert(key.text.clone(), String::new());
        } else if let Some(text) = r.text(value, &format!("`{}`", key.text)) {
            env.insert(key.text.clone(), text);
        }
    }
    env
}

pub(super) fn sidecars(r: &mut Reader, node: &Node, service: &str) -> Vec<Sidecar> {
    r.fields(node, "`sidecars`");
    let mut all: Vec<Sidecar> = Vec::new();
    let mut waiting = Vec::new();
    for (key, below) in node.entries() {
        let name = r.name(key, "a sidecar", 20);
        if name == service {
            r.fault(key.place, format!("`{name}` is the name of the service's own container"));
        }
        let below = if below.is_null() { &Node { place: key.place, ..below.clone() } } else { below };
        let mut f = r.fields(below, format!("sidecar `{name}`"));
        f.point_at(key.place);
        let image = f.require(r, "image").and_then(|n| r.text(n, "`image`")).unwrap_or_default();
        let command = f.take("command").and_then(|n| command(r, n, "`command`"));
        let env = f.take("env").map(|n| env(r, n)).unwrap_or_default();
        let essential = f.take("essential").and_then(|n| r.flag(n, "`essential`")).unwrap_or(true);
        waiting.push(f.take("depends").cloned());
        f.finish(r);
        all.push(Sidecar { name, image, command, env, essential, depends: Vec::new() });
    }
    for (i, node) in waiting.iter().enumerate() {
        if let Some(node) = node {
            all[i].depends = depends(r, node, &all);
        }
    }
    circle(r, node.place, &all);
    all
}

/// Reads which sidecars a container waits for: a list of those that have started, or a map to the state to wait for.
pub(super) fn depends(r: &mut Reader, node: &Node, sidecars: &[Sidecar]) -> Vec<Dependency> {
    const STATES: [(&str, Until); 3] =
        [("started", Until::Started), ("completed", Until::Completed), ("succeeded", Until::Succeeded)];
    let mut named: Vec<(String, Place, Until)> = Vec::new();
    if matches!(node.kind, Kind::Map(_)) {
        for (key, value) in node.entries() {
            if let Some(until) = r.word(value, "`depends`", &STATES) {
                named.push((key.text.clone(), key.place, until));
            }
        }
    } else {
        for item in r.list(node, "`depends`") {
            named.extend(r.text(item, "`depends`").map(|name| (name, item.place, Until::Started)));
        }
    }
    let known: Vec<&str> = sidecars.iter().map(|s| s.name.as_str()).collect();
    let mut all = Vec::new();
    for (name, place, until) in named {
        match sidecars.iter().find(|s| s.name == name) {
            None => {
                let hint = match nearest(&name, known.iter().copied()) {
                    Some(word) => format!("did you mean `{word}`?"),
                    None if known.is_empty() => "declare it under `sidecars`".to_owned(),
                    None => format!("the sidecars are {}", known.join(", ")),
                };
                r.fault_hint(place, format!("`{name}` is not a sidecar of this service"), hint);
            }
            Some(sidecar) if sidecar.essential && until != Until::Started => r.fault_hint(
                place,
                format!("`{name}` is essential: when it ends, the whole task ends"),
                "set `essential: false` for it",
            ),
            Some(_) => all.push(Dependency { container: name, until }),
        }
    }
    all
}

/// Reports sidecars that wait for each other.
fn circle(r: &mut Reader, place: Place, all: &[Sidecar]) {
    let mut left: Vec<&Sidecar> = all.iter().collect();
    while !left.is_empty() {
        let waits =
            |s: &&Sidecar| s.depends.iter().any(|d| left.iter().any(|other| other.name == d.container));
        let (waiting, free): (Vec<&Sidecar>, Vec<&Sidecar>) = left.iter().copied().partition(waits);
        if free.is_empty() {
            let names: Vec<&str> = waiting.iter().map(|s| s.name.as_str()).collect();
            return r.fault(place, format!("these sidecars wait for each other: {}", names.join(", ")));
        }
        left = waiting;
    }
}
