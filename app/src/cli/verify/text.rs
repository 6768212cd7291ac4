//! The result for people and for scripts.

use escale_proof::verify::{Difference, Observation, Side};
use serde_json::{Value, json};

pub(super) fn as_json(side: &Side, observations: &[Observation]) -> Value {
    json!({
        "environment": side.name,
        "url": side.url,
        "failed": observations.iter().filter(|o| o.is_failed()).count(),
        "not_checked": observations.iter().filter(|o| o.observed.is_none()).count(),
        "observations": observations,
    })
}

pub(super) fn of_side(side: &Side, observations: &[Observation]) -> Vec<String> {
    let promised = observations.iter().filter(|o| o.expected.is_some() && o.observed.is_some()).count();
    let failed: Vec<&Observation> = observations.iter().filter(|o| o.is_failed()).collect();
    let open: Vec<&Observation> = observations.iter().filter(|o| o.observed.is_none()).collect();
    let mut lines = vec![format!(
        "{} at {}: {} of {promised} checks are as the manifest expects{}",
        side.name,
        side.url,
        promised - failed.len(),
        if open.is_empty() { String::new() } else { format!(", {} not checked", open.len()) },
    )];
    lines.extend(failed.iter().map(|o| {
        let (expected, observed) = (shown(o.expected.as_deref()), shown(o.observed.as_deref()));
        format!("  FAILED       {}: {}: expected {expected}, observed {observed}", o.check, o.subject)
    }));
    lines.extend(open.iter().map(|o| {
        format!(
            "  not checked  {}: {}: {}",
            o.check,
            o.subject,
            o.note.as_deref().unwrap_or("the reason is unknown")
        )
    }));
    lines
}

pub(super) fn of_differences(first: &str, second: &str, all: &[Difference]) -> Vec<String> {
    if all.is_empty() {
        return vec![format!("{first} and {second} show the same.")];
    }
    let mut lines = vec![format!("Differences between {first} and {second}:")];
    lines.extend(all.iter().map(|d| {
        let kind = if d.is_configured { "configured " } else { "DIFFERENCE " };
        let (one, other) = (shown(d.first.as_deref()), shown(d.second.as_deref()));
        format!("  {kind}  {}: {}: {first} {one}, {second} {other}", d.check, d.subject)
    }));
    lines
}

fn shown(value: Option<&str>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |value| format!("'{value}'"))
}
