//! `escale review`: rules by pillar, and the proof of which ports answer from the Internet.

use super::{super::Output, Read, Subject, probe::probe};
use crate::home::Home;
use anyhow::Result;
use clap::Args;
use escale_proof::review::{
    Finding,
    reach::{self, Computed, Disagreement},
    review,
};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
    process::ExitCode,
};

#[derive(Args)]
pub(crate) struct Review {
    #[command(flatten)]
    subject: Subject,
    /// The TCP ports that are probed with --live. All of them take some seconds for each address.
    #[arg(long, value_name = "FIRST-LAST", value_parser = ports, default_value = "1-65535")]
    ports: RangeInclusive<u16>,
    /// Exit with 1 if a rule is broken. A difference between the computed and the probed ports always does.
    #[arg(long)]
    strict: bool,
}

fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) if 0 < first && first <= last => Ok(first..=last),
        _ => Err(format!("'{text}' is not a range of ports: write for example 1-1024 or 443")),
    }
}

/// What the probe found.
struct Probed {
    answered: BTreeMap<String, BTreeSet<u16>>,
    disagreements: Vec<Disagreement>,
}

pub(crate) async fn run(home: &Home, out: &Output, args: &Review) -> Result<ExitCode> {
    let read = args.subject.read(home).await?;
    let findings = review(&read.survey, &read.architecture);
    let computed = reach::computed(&read.architecture);
    let probed = if args.subject.live { Some(probed(home, args, &read, &computed).await?) } else { None };
    let value = json!({
        "source": read.source,
        "findings": findings,
        "reachability": {
            "computed": computed,
            "ports_probed": probed.as_ref().map(|_| format!("{}-{}", args.ports.start(), args.ports.end())),
            "probed": probed.as_ref().map(|p| &p.answered),
            "disagreements": probed.as_ref().map(|p| &p.disagreements),
        },
        "unknown": read.architecture.unknown,
    });
    out.say(&in_words(args, &read, &findings, &computed, probed.as_ref()), &value);
    let differs = probed.is_some_and(|p| !p.disagreements.is_empty());
    let is_broken = differs || (args.strict && !findings.is_empty());
    Ok(if is_broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn probed(home: &Home, args: &Review, read: &Read, computed: &[Computed]) -> Result<Probed> {
    // Addresses that no resource of the template explains are probed, too.
    let unexplained = read.public_addresses.iter().map(|address| (address.clone(), BTreeSet::new()));
    let mut targets: BTreeMap<String, BTreeSet<u16>> = unexplained.collect();
    for one in computed {
        targets.extend(one.addresses.iter().map(|address| (address.clone(), one.ports.clone())));
    }
    let answered = probe(home, &targets, &args.ports).await?;
    let all = reach::compare(computed, &answered);
    let disagreements = all.into_iter().filter(|d| args.ports.contains(&d.port)).collect();
    Ok(Probed { answered, disagreements })
}

fn in_words(
    args: &Review,
    read: &Read,
    findings: &[Finding],
    computed: &[Computed],
    probed: Option<&Probed>,
) -> String {
    let rules = escale_proof::review::rules().count();
    let broken: BTreeSet<&str> = findings.iter().map(|f| f.rule).collect();
    let mut lines = vec![format!("{}: {} of {rules} rules hold", read.source, rules - broken.len())];
    let mut last = None;
    for finding in findings {
        if last != Some(finding.pillar) {
            lines.push(finding.pillar.name().to_owned());
            last = Some(finding.pillar);
        }
        lines.push(format!(
            "  {} line {} {}: {}",
            finding.rule, finding.line, finding.resource, finding.reason
        ));
        let control = finding.control.map_or_else(String::new, |c| format!(" [{}, {}]", c.id, c.page));
        lines.push(format!("        {} {}{control}", finding.title, "- ".to_owned() + finding.fix));
    }
    lines.push(
        "From the Internet only these TCP ports answer, by addresses, routes, security groups, network ACLs and listeners:"
            .to_owned(),
    );
    lines.extend(computed.iter().map(reachable));
    if computed.is_empty() {
        lines.push("  none: nothing has a public address".to_owned());
    }
    lines.extend(in_words_of_probe(args, probed));
    if !read.architecture.unknown.is_empty() {
        lines.push("Not known:".to_owned());
        lines.extend(read.architecture.unknown.iter().map(|u| format!("  line {}: {}", u.line, u.what)));
    }
    lines.join("\n")
}

fn reachable(one: &Computed) -> String {
    let list = listed(&one.ports);
    let open = if one.is_open_ended { ", and ports whose listeners are not known" } else { "" };
    let at =
        if one.addresses.is_empty() { String::new() } else { format!(" at {}", one.addresses.join(", ")) };
    format!("  {}{at}: {list}{open}", one.resource)
}

fn listed(ports: &BTreeSet<u16>) -> String {
    let list: Vec<String> = ports.iter().map(u16::to_string).collect();
    if list.is_empty() { "none".to_owned() } else { list.join(", ") }
}

fn in_words_of_probe(args: &Review, probed: Option<&Probed>) -> Vec<String> {
    let Some(probed) = probed else {
        return vec!["Not probed: `escale review --live` probes a running application.".to_owned()];
    };
    let (first, last) = (args.ports.start(), args.ports.end());
    let mut lines =
        vec![format!("Probed from the cloud's Internet, TCP ports {first} to {last} (UDP is not probed):")];
    lines.extend(probed.answered.iter().map(|(address, ports)| format!("  {address}: {}", listed(ports))));
    if probed.disagreements.is_empty() {
        lines.push("Both agree.".to_owned());
    }
    for d in &probed.disagreements {
        lines.push(format!("  DIFFERENCE: {} at {}, port {}: {}", d.resource, d.address, d.port, d.meaning));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::ports;

    #[test]
    fn reads_ranges_of_ports() {
        assert_eq!(ports("1-1024"), Ok(1..=1024));
        assert_eq!(ports("443"), Ok(443..=443));
        for text in ["0-10", "10-1", "70000", "web"] {
            assert!(ports(text).is_err(), "{text}");
        }
    }
}
