//! The load generators, each bounded in time, on loopback.

use super::finished;
use super::planes::Running;
use anyhow::{Context, Result, bail};
use std::{path::Path, process::Command};

const SECONDS: &str = "3";

pub(super) enum Load {
    /// HTTP/1.1 over 32 connections.
    Http,
    /// HTTP/2 over TLS: 8 connections, 16 requests at once on each.
    Http2,
    /// 8 clients with 100 queries at once.
    Dns,
}

#[derive(Debug)]
pub(super) struct Measured {
    pub(super) per_second: f64,
    /// Of the server's processes.
    pub(super) processor_us: f64,
    pub(super) p99_s: Option<f64>,
}

impl Load {
    pub(super) fn run(&self, port: u16, server: &Running, folder: &Path) -> Result<Measured> {
        let before = server.processor_s()?;
        let (answered, per_second, p99_s) = match self {
            Load::Http => http(port)?,
            Load::Http2 => http2(port)?,
            Load::Dns => dns(port, folder)?,
        };
        let used = server.processor_s()? - before;
        Ok(Measured { per_second, processor_us: used / answered * 1e6, p99_s })
    }
}

fn output(command: &mut Command) -> Result<String> {
    Ok(String::from_utf8_lossy(&finished(command)?.stdout).into_owned())
}

/// Requests of `url` per second, over 32 connections.
pub(super) fn get(url: &str) -> Result<f64> {
    after(&wrk(url)?, "Requests/sec:")
}

fn wrk(url: &str) -> Result<String> {
    let text =
        output(Command::new("wrk").args(["--latency", "-t", "1", "-c", "32", "-d", SECONDS]).arg(url))?;
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        bail!("requests failed:\n{text}");
    }
    Ok(text)
}

fn http(port: u16) -> Result<(f64, f64, Option<f64>)> {
    let text = wrk(&format!("http://127.0.0.1:{port}/small"))?;
    Ok((before(&text, " requests in")?, after(&text, "Requests/sec:")?, Some(seconds(&text, " 99% ")?)))
}

fn http2(port: u16) -> Result<(f64, f64, Option<f64>)> {
    let url = format!("https://127.0.0.1:{port}/small");
    let text = output(Command::new("h2load").args(["-t1", "-c8", "-m16", "-D", SECONDS]).arg(url))?;
    let succeeded = before(&text, " succeeded")?;
    if before(&text, " failed")? > 0.0 || succeeded == 0.0 {
        bail!("requests failed:\n{text}");
    }
    // h2load shows no percentiles.
    Ok((succeeded, before(&text, " req/s")?, None))
}

fn dns(port: u16, folder: &Path) -> Result<(f64, f64, Option<f64>)> {
    let mut command = Command::new("dnsperf");
    command.args(["-s", "127.0.0.1", "-c", "8", "-q", "100", "-l", SECONDS, "-p", &port.to_string(), "-d"]);
    let text = output(command.arg(folder.join("queries")))?;
    let completed = after(&text, "Queries completed:")?;
    Ok((completed, after(&text, "Queries per second:")?, None))
}

/// The number after `label`.
fn after(text: &str, label: &str) -> Result<f64> {
    let rest = text.split_once(label).map(|(_, rest)| rest);
    let word = rest.and_then(|rest| rest.split_whitespace().next());
    word.and_then(|w| w.parse().ok()).with_context(|| format!("no number after '{label}' in:\n{text}"))
}

/// The number before `label`.
fn before(text: &str, label: &str) -> Result<f64> {
    let rest = text.split_once(label).map(|(rest, _)| rest);
    let word = rest.and_then(|rest| rest.split_whitespace().next_back());
    word.and_then(|w| w.parse().ok()).with_context(|| format!("no number before '{label}' in:\n{text}"))
}

/// The time after `label`: `1.50ms`, `900us`, `1.20s`.
fn seconds(text: &str, label: &str) -> Result<f64> {
    let rest = text.split_once(label).map(|(_, rest)| rest);
    let word = rest.and_then(|rest| rest.split_whitespace().next()).unwrap_or_default();
    let units = [("us", 1e-6), ("ms", 1e-3), ("s", 1.0)];
    let parsed =
        units.iter().find_map(|(unit, factor)| Some(word.strip_suffix(unit)?.parse::<f64>().ok()? * factor));
    parsed.with_context(|| format!("no time after '{label}' in:\n{text}"))
}
