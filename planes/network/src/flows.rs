//! Live flows of a router: finds those that no rule allows any more, and cuts them.
//!
//! The firewall accepts established flows without evaluating rules, so removing a rule stops new flows only. This module
//! reads the kernel's tracking table, evaluates each flow again, and deletes the entries that fail: their packets are then
//! invalid, since routers do not pick up connections in the middle.

use crate::{
    firewall::{self, Flow},
    namespace::Namespace,
    spec::VpcSpec,
};
use escale_base::{PlaneError, error::Context as _};
use ipnet::Ipv4Net;
use std::{fmt::Write as _, net::Ipv4Addr};

/// Cuts the flows that the spec does not allow, and those with networks whose peering has ended; returns how many.
pub(crate) async fn cut_revoked(
    router: &Namespace,
    spec: &VpcSpec,
    ended: &[Ipv4Net],
) -> Result<usize, PlaneError> {
    let of_ended = |a: &Ipv4Addr| ended.iter().any(|net| net.contains(a));
    let is_ended = |flow: &Flow| of_ended(&flow.source) || of_ended(&flow.reply_source);
    let at = || format!("list the tracked connections of network '{}'", spec.name);
    let listed = router.run("conntrack", &["-L", "-f", "ipv4"], String::new()).await?.good(at)?;
    let doomed: Vec<Flow> =
        listed.lines().filter_map(parse).filter(|f| is_ended(f) || !firewall::allows(spec, f)).collect();
    let mut script = String::new();
    for flow in &doomed {
        delete(&mut script, flow);
    }
    // One process for all of them, since starting one takes milliseconds.
    if !doomed.is_empty() {
        // A flow may end between the two calls; deleting it then fails, which is harmless.
        let done = router.run("conntrack", &["-R", "-"], script).await?;
        if !done.success && !done.errors.contains("No such file") && !done.errors.contains("0 flow entries") {
            return Err(done.errors.trim_end())
                .plane(|| format!("end tracked connections of network '{}'", spec.name));
        }
    }
    Ok(doomed.len())
}

/// Parses a line of `conntrack -L`; `None` for any other line, and for a TCP connection that has ended: it passes nothing any more, and
/// a new one is a new flow. After much traffic there are ten thousands of those, and each deletion reads the whole table.
fn parse(line: &str) -> Option<Flow> {
    let mut words = line.split_whitespace().skip(1);
    let protocol: u8 = words.next()?.parse().ok()?;
    if protocol == 6 && matches!(words.nth(1), Some("TIME_WAIT" | "CLOSE")) {
        return None;
    }
    let value = |key: &str, nth: usize| {
        line.split_whitespace().filter_map(|w| w.strip_prefix(key)?.strip_prefix('=')).nth(nth)
    };
    let address = |key, nth| value(key, nth)?.parse().ok();
    let port = |key| value(key, 0).and_then(|v| v.parse().ok()).unwrap_or(0);
    let icmp = value("type", 0).and_then(|k| {
        Some((k.parse().ok()?, value("code", 0)?.parse().ok()?, value("id", 0)?.parse().ok()?))
    });
    Some(Flow {
        protocol,
        source: address("src", 0)?,
        destination: address("dst", 0)?,
        source_port: port("sport"),
        destination_port: port("dport"),
        icmp,
        reply_source: address("src", 1)?,
        reply_destination: address("dst", 1)?,
    })
}

fn delete(script: &mut String, flow: &Flow) {
    let Flow { protocol, source, destination, source_port, destination_port, icmp, .. } = flow;
    let _ = write!(script, "-D -f ipv4 -p {protocol} -s {source} -d {destination}");
    match (protocol, icmp) {
        (1, Some((kind, code, id))) => {
            let _ = write!(script, " --icmp-type {kind} --icmp-code {code} --icmp-id {id}");
        }
        (6 | 17, _) => {
            let _ = write!(script, " --sport {source_port} --dport {destination_port}");
        }
        _ => {}
    }
    script.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(line: &str, deletion: Expect) {
        let mut script = String::new();
        delete(&mut script, &parse(line).expect("a flow"));
        deletion.assert_eq(script.trim_end());
    }

    #[test]
    fn reads_and_names_flows() {
        check(
            "tcp 6 431999 ESTABLISHED src=10.0.0.10 dst=198.18.0.9 sport=60164 dport=99 src=198.18.0.9 dst=198.18.0.5 sport=99 dport=60164 [ASSURED] mark=0 use=1",
            expect!["-D -f ipv4 -p 6 -s 10.0.0.10 -d 198.18.0.9 --sport 60164 --dport 99"],
        );
        check(
            "icmp 1 29 src=10.0.0.4 dst=10.0.0.5 type=8 code=0 id=12 src=10.0.0.5 dst=10.0.0.4 type=0 code=0 id=12 mark=0 use=1",
            expect!["-D -f ipv4 -p 1 -s 10.0.0.4 -d 10.0.0.5 --icmp-type 8 --icmp-code 0 --icmp-id 12"],
        );
        let ended = "tcp 6 119 TIME_WAIT src=10.0.0.10 dst=10.0.0.9 sport=60164 dport=99 src=10.0.0.9 dst=10.0.0.10 sport=99 dport=60164 [ASSURED] mark=0 use=1";
        assert_eq!(parse(ended), None);
        assert_eq!(parse("conntrack v1.4.7 (conntrack-tools): 2 flow entries have been shown."), None);
    }
}
