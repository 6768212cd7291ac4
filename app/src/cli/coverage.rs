//! `escale coverage`: for each service the operations and parameters that are enacted, recorded only or refused, from the
//! code's own lists.

use super::Output;
use crate::cloud;
use anyhow::{Result, bail};
use clap::Args;
use escale_base::wire::Field;
use escale_service::{Cloud, Recorded};
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[derive(Args)]
pub(crate) struct Coverage {
    /// Only this service.
    service: Option<String>,
    /// Print Markdown, as docs/coverage.md holds it.
    #[arg(long)]
    markdown: bool,
}

pub(crate) fn run(out: &Output, args: &Coverage) -> Result<()> {
    if let Some(unknown) = args.service.as_deref().filter(|s| !escale_model::services().contains(s)) {
        bail!("there is no service '{unknown}'. The services are: {}", escale_model::services().join(", "));
    }
    let (all, types) = lists(args.service.as_deref())?;
    let text = if args.markdown { markdown(&all, &types) } else { table(&all) };
    out.say(text.trim_end(), &json!({"services": all, "resource_types": types}));
    Ok(())
}

/// The services (only one if `only` names it), and the CloudFormation types.
fn lists(only: Option<&str>) -> Result<(Vec<Value>, Vec<Value>)> {
    let cloud = cloud::services_only()?;
    let wanted = escale_model::services().iter().filter(|id| only.is_none_or(|s| s == **id));
    let all = wanted.filter_map(|id| service(&cloud, id)).collect();
    let types = cloud.resource_types().map(|t| json!({"type": t.name, "properties": t.properties})).collect();
    Ok((all, types))
}

fn service(cloud: &Cloud, id: &str) -> Option<Value> {
    let model = escale_model::service(id)?;
    let implemented = cloud.service(id);
    let reasons = |list: &[Recorded]| -> Vec<Value> {
        list.iter().map(|r| json!({"name": r.name, "reason": r.reason})).collect()
    };
    let incomplete = implemented.map_or(&[][..], |s| s.incomplete());
    let (mut enacted, mut refused) = (Vec::new(), Vec::new());
    for (name, operation) in &model.operations {
        let Some(entry) = cloud.entry(id, name) else {
            refused.push(name.clone());
            continue;
        };
        if incomplete.iter().any(|other| other.name == name) {
            continue;
        }
        let known: BTreeSet<&str> = entry.input.iter().map(|f: &Field| f.name).collect();
        let members = operation.input.map(|shape| model.members(shape)).unwrap_or_default();
        // `front/` enacts EC2's DryRun for every operation, so no operation's struct has it.
        let missing: Vec<&str> = members
            .iter()
            .map(|m| m.name.as_str())
            .filter(|m| !known.contains(m) && *m != "DryRun" && Some(*m) != operation.streams_in())
            .collect();
        enacted.push(json!({"operation": name, "refused_parameters": missing}));
    }
    refused.extend(model.others.iter().map(|other| other.name.clone()));
    refused.sort();
    let recorded = reasons(implemented.map_or(&[][..], |s| s.recorded()));
    let incomplete = reasons(incomplete);
    Some(json!({
        "service": id, "enacted": enacted, "recorded_only": recorded, "incomplete": incomplete, "refused": refused,
    }))
}

fn count(value: &Value) -> usize {
    value.as_array().map_or(0, Vec::len)
}

fn table(all: &[Value]) -> String {
    let mut text = format!("{:<26} {:>7} {:>9} {:>7}\n", "service", "enacted", "recorded", "refused");
    for s in all {
        text.push_str(&format!(
            "{:<26} {:>7} {:>9} {:>7}\n",
            s["service"].as_str().unwrap_or_default(),
            count(&s["enacted"]),
            count(&s["recorded_only"]),
            count(&s["refused"])
        ));
    }
    text
}

fn markdown(all: &[Value], types: &[Value]) -> String {
    let words = |v: &Value| -> String {
        let list = v.as_array().into_iter().flatten();
        list.filter_map(Value::as_str).map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ")
    };
    let mut text = String::from(
        "# Coverage\nMade by `escale coverage --markdown` from the code's own lists. An operation that is listed is enacted; its \
         parameters are enacted but for those named as refused. Recorded only: kept and shown, without effect on one machine. \
         Incomplete: an operation that does not yet do what it is for.\n",
    );
    for s in all.iter().filter(|s| count(&s["enacted"]) > 0) {
        text.push_str(&format!("\n## {}\n", s["service"].as_str().unwrap_or_default()));
        text.push_str("| operation | refused parameters |\n| --- | --- |\n");
        for e in s["enacted"].as_array().into_iter().flatten() {
            let name = e["operation"].as_str().unwrap_or_default();
            text.push_str(&format!("| {name} | {} |\n", words(&e["refused_parameters"])));
        }
        let reasons = [
            ("recorded_only", "recorded only", "why it has no effect"),
            ("incomplete", "incomplete", "what is missing"),
        ];
        for (list, name, why) in reasons.into_iter().filter(|(list, ..)| count(&s[*list]) > 0) {
            text.push_str(&format!("\n| {name} | {why} |\n| --- | --- |\n"));
            for r in s[list].as_array().into_iter().flatten() {
                let (name, why) =
                    (r["name"].as_str().unwrap_or_default(), r["reason"].as_str().unwrap_or_default());
                text.push_str(&format!("| `{name}` | {why} |\n"));
            }
        }
        text.push_str(&format!("\nRefused by name: {}\n", words(&s["refused"])));
    }
    text.push_str("\n## CloudFormation resource types\n| type | properties |\n| --- | --- |\n");
    for t in types {
        text.push_str(&format!(
            "| {} | {} |\n",
            t["type"].as_str().unwrap_or_default(),
            words(&t["properties"])
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverage_page_in_docs_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/coverage.md");
        let stored = std::fs::read_to_string(path).unwrap();
        let (all, types) = lists(None).unwrap();
        let made = markdown(&all, &types);
        let differs = stored.lines().zip(made.lines()).find(|(old, new)| old != new);
        assert!(
            stored.trim_end() == made.trim_end(),
            "docs/coverage.md is out of date, first in {differs:?}. Update it: cargo run --bin escale -- coverage --markdown > \
             docs/coverage.md"
        );
    }
}
