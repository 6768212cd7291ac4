//! The data plane beside the servers that do the same: nginx, HAProxy and Knot, in one run, with the same targets.
//!
//! The load generator, the server and its target share the machine's processors, so a ratio of requests per second also has the
//! time of the other two in it. The processor time per request is that of the server alone, and hardly changes when something
//! else uses the machine.

mod servers;

use super::load::{Load, Measured};
use super::report::{Rows, write};
use crate::{
    run::{cargo, run},
    setup,
};
use anyhow::{Context, Result};
pub(super) use servers::Running;
use servers::{Ports, Servers};

/// Runs of each pair, alternating. The median counts.
const ROUNDS: usize = 5;

/// Two servers that get the same load, and the wish for the ratio of their requests per second.
struct Pair {
    what: &'static str,
    load: Load,
    /// The path below, or nothing for DNS.
    ours: u16,
    other: (&'static str, u16),
    wish: &'static str,
}

pub(super) fn measure_planes() -> Result<()> {
    setup::bench()?;
    // The release's code, with symbols for a profiler.
    run(&cargo(), &["build", "--profile", "profiling", "-p", "escale-plane", "--example", "planes"])?;
    let ports = Ports::free()?;
    let servers = Servers::start(&ports)?;
    let mut rows = Rows::new(&[
        "what",
        "Escale, 1/s",
        "beside",
        "1/s",
        "ratio",
        "wish",
        "processor time of a request",
        "ratio",
        "99 % within",
    ]);
    for pair in pairs(&ports) {
        rows.add(&row(&pair, &servers)?);
    }
    drop(servers);
    write(
        "planes",
        "Medians of five alternating runs of three seconds each. The load generator, the server and its target share the \
         processors, and so does whatever else runs: the processor time of a request is the server's own.",
        &rows,
    )
}

fn pairs(ports: &Ports) -> Vec<Pair> {
    let load = || Load::Http;
    vec![
        Pair {
            what: "load balancer, 128 bytes",
            load: load(),
            ours: ports.http,
            other: ("nginx", ports.nginx_http),
            wish: "0.95",
        },
        Pair {
            what: "load balancer, 128 bytes",
            load: load(),
            ours: ports.http,
            other: ("HAProxy", ports.haproxy),
            wish: "",
        },
        Pair {
            what: "edge, cached, 128 bytes",
            load: load(),
            ours: ports.edge,
            other: ("nginx", ports.nginx_cache),
            wish: "1.0",
        },
        Pair {
            what: "load balancer, HTTPS with HTTP/2",
            load: Load::Http2,
            ours: ports.https,
            other: ("nginx", ports.nginx_https),
            wish: "0.9",
        },
        Pair {
            what: "DNS over UDP, A",
            load: Load::Dns,
            ours: ports.dns,
            other: ("Knot", ports.knot),
            wish: "0.6",
        },
    ]
}

fn row(pair: &Pair, servers: &Servers) -> Result<Vec<String>> {
    let (mut ours, mut others) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        // Alternating, so that a change of the machine's load meets both.
        ours.push(pair.load.run(pair.ours, &servers.planes, servers.folder())?);
        others.push(pair.load.run(pair.other.1, servers.of(pair.other), servers.folder())?);
    }
    let (ours, other) = (median(ours)?, median(others)?);
    println!("{}: {ours:?}, {}: {other:?}", pair.what, pair.other.0);
    let millis = |seconds: Option<f64>| seconds.map_or("".to_owned(), |s| format!("{:.1} ms", s * 1000.0));
    Ok(vec![
        pair.what.to_owned(),
        format!("{:.0}", ours.per_second),
        pair.other.0.to_owned(),
        format!("{:.0}", other.per_second),
        format!("{:.2}", ours.per_second / other.per_second),
        pair.wish.to_owned(),
        format!("{:.1} µs, {:.1} µs", ours.processor_us, other.processor_us),
        format!("{:.2}", ours.processor_us / other.processor_us),
        format!("{}, {}", millis(ours.p99_s), millis(other.p99_s)).trim_matches([',', ' ']).to_owned(),
    ])
}

/// The median of each value by itself.
fn median(runs: Vec<Measured>) -> Result<Measured> {
    let middle = |value: &dyn Fn(&Measured) -> Option<f64>| {
        let mut values: Vec<f64> = runs.iter().filter_map(value).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    Ok(Measured {
        per_second: middle(&|m| Some(m.per_second)).context("there were no runs")?,
        processor_us: middle(&|m| Some(m.processor_us)).context("there were no runs")?,
        p99_s: middle(&|m| m.p99_s),
    })
}
