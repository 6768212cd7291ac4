//! Measurements, each beside what a user would pick instead, in one run. Ratios count: machines are noisy.

mod describe;
mod report;
mod up;

use anyhow::{Context, Result, bail};
use std::{
    net::TcpListener,
    process::{Command, Output},
};

pub(crate) fn bench(name: &str) -> Result<()> {
    match name {
        "up" => up::measure_up(),
        _ => bail!("no measurement is called '{name}'; there is: up"),
    }
}

fn finished(command: &mut Command) -> Result<Output> {
    let out = command.output().with_context(|| format!("cannot start {:?}", command.get_program()))?;
    if !out.status.success() {
        bail!("{command:?}: {}\n{}", out.status, String::from_utf8_lossy(&out.stderr));
    }
    Ok(out)
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
