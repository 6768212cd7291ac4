//! The same architecture as Markdown with a Mermaid flowchart: <https://mermaid.js.org/syntax/flowchart.html>

use super::layout::name_of;
use super::table;
use crate::{
    graph::{Architecture, INTERNET, Means, Tier, Vpc},
    language::Language,
};
use std::{collections::BTreeMap, fmt::Write};

pub fn write(arch: &Architecture) -> String {
    let mut ids = Ids::default();
    let mut out =
        format!("# Architecture of {}\n\nRegion {}.\n\n```mermaid\nflowchart TB\n", arch.name, arch.region);
    let _ = writeln!(out, "  {}(({}))", ids.of(INTERNET), quoted("Users on the Internet"));
    for zone in &arch.dns_zones {
        let _ = writeln!(out, "  {}[{}]", ids.of(&zone.id), quoted(&format!("Route 53 {}", zone.name)));
    }
    for distribution in &arch.distributions {
        let _ = writeln!(out, "  {}[{}]", ids.of(&distribution.id), quoted("CloudFront"));
    }
    arch.vpcs.iter().for_each(|vpc| network(&mut out, &mut ids, arch, vpc));
    for (list, kind) in [(&arch.repositories, "Image repository"), (&arch.secrets, "Secret")] {
        for id in list {
            let _ = writeln!(
                out,
                "  {}[({})]",
                ids.of(id),
                quoted(&format!("{kind} {}", name_of(arch, id, Language::English)))
            );
        }
    }
    for bucket in &arch.buckets {
        let _ = writeln!(out, "  {}[({})]", ids.of(&bucket.id), quoted(&format!("S3 bucket {}", bucket.id)));
    }
    let edges = edges(arch);
    for end in edges.iter().flat_map(|(from, to, ..)| [from, to]) {
        if !ids.0.contains_key(end) {
            let _ = writeln!(out, "  {}[{}]", ids.of(end), quoted(&name_of(arch, end, Language::English)));
        }
    }
    for (from, to, ports, is_dotted) in edges {
        let arrow = if is_dotted { "-." } else { "--" };
        let end = if is_dotted { ".->" } else { "-->" };
        let _ = writeln!(out, "  {} {arrow} {} {end} {}", ids.of(&from), quoted(&ports), ids.of(&to));
    }
    out.push_str("```\n");
    lists(&mut out, arch);
    out
}

/// Mermaid's own words are no identifiers, so all nodes are numbered.
#[derive(Default)]
struct Ids(BTreeMap<String, usize>);

impl Ids {
    fn of(&mut self, id: &str) -> String {
        let next = self.0.len();
        format!("n{}", self.0.entry(id.to_owned()).or_insert(next))
    }
}

fn quoted(text: &str) -> String {
    format!(
        "\"{}\"",
        text.replace('&', "&amp;").replace('"', "#quot;").replace('<', "&lt;").replace('>', "&gt;")
    )
}

fn network(out: &mut String, ids: &mut Ids, arch: &Architecture, vpc: &Vpc) {
    let _ = writeln!(
        out,
        "  subgraph {} [{}]",
        ids.of(&format!("vpc {}", vpc.id)),
        quoted(&format!("VPC {}", vpc.cidr))
    );
    for tier in Tier::ALL {
        let subnets: Vec<_> = vpc.subnets.iter().filter(|s| s.tier == tier).collect();
        if subnets.is_empty() {
            continue;
        }
        let list: Vec<String> = subnets.iter().map(|s| format!("{} {}", s.zone, s.cidr)).collect();
        let title = format!("{}: {}", tier.name(), list.join(", "));
        let _ =
            writeln!(out, "    subgraph {} [{}]", ids.of(&format!("{} {tier:?}", vpc.id)), quoted(&title));
        // What is in several tiers is drawn in the first.
        let is_here = |all: &[String]| {
            let tiers = vpc.subnets.iter().filter(|s| all.contains(&s.id)).map(|s| s.tier);
            tiers.min() == Some(tier)
        };
        for balancer in arch.balancers.iter().filter(|b| is_here(&b.subnets)) {
            let _ = writeln!(
                out,
                "      {}[{}]",
                ids.of(&balancer.id),
                quoted(&format!("Load balancer {}", balancer.id))
            );
        }
        for nat in arch.nats.iter().filter(|n| is_here(std::slice::from_ref(&n.subnet))) {
            let _ =
                writeln!(out, "      {}[{}]", ids.of(&nat.id), quoted(&format!("NAT gateway {}", nat.id)));
        }
        for service in arch.services.iter().filter(|s| is_here(&s.subnets)) {
            let text = format!("ECS service {}, {} tasks", service.name, service.count);
            let _ = writeln!(out, "      {}[{}]", ids.of(&service.id), quoted(&text));
        }
        for database in arch.databases.iter().filter(|d| is_here(&d.subnets)) {
            let standby = if database.is_multi_az { ", primary and standby" } else { "" };
            let text = format!("RDS {} {}{standby}", database.engine, database.id);
            let _ = writeln!(out, "      {}[({})]", ids.of(&database.id), quoted(&text));
        }
        out.push_str("    end\n");
    }
    out.push_str("  end\n");
}

/// Flows with the same ends are one edge.
fn edges(arch: &Architecture) -> Vec<(String, String, String, bool)> {
    let mut edges: Vec<(String, String, String, bool)> = Vec::new();
    for flow in &arch.flows {
        let is_dotted = matches!(flow.means, Means::Dns | Means::Api);
        match edges.iter_mut().find(|(from, to, ..)| *from == flow.from && *to == flow.to) {
            Some((_, _, ports, _)) => ports.push_str(&format!(", {}", flow.what)),
            None => edges.push((flow.from.clone(), flow.to.clone(), flow.what.clone(), is_dotted)),
        }
    }
    edges
}

fn lists(out: &mut String, arch: &Architecture) {
    let cell = |text: &str| text.replace('|', "\\|").replace('*', "\\*");
    out.push_str("\n## Who talks to whom\n\n| From | To | Ports | Because of |\n| --- | --- | --- | --- |\n");
    for row in table::rows(arch, Language::English) {
        let _ = writeln!(out, "| {} |", row.map(|text| cell(&text)).join(" | "));
    }
    let sentences = table::sentences(arch, Language::English);
    if !sentences.is_empty() {
        out.push_str("\n## What this diagram does not show\n\n");
        sentences.iter().for_each(|sentence| {
            let _ = writeln!(out, "- {}", cell(sentence));
        });
    }
}
