//! Measurements, each compared with the alternative that a user has, in one run. Compare ratios, because machines differ.

mod cloud;
mod describe;
mod drills;
mod load;
mod planes;
mod report;
mod s3;
mod up;

use anyhow::{Context, Result, bail};
use std::{
    net::TcpListener,
    process::{Command, Output},
};

/// How often each drill is repeated without a number.
const DRILL_ROUNDS: usize = 5;

pub(crate) fn bench(name: &str, rest: &[&str]) -> Result<()> {
    match (name, rest) {
        ("drills", []) => drills::measure(DRILL_ROUNDS),
        ("drills", [rounds]) => {
            drills::measure(rounds.parse().context("the number of rounds is not a number")?)
        }
        ("up", []) => up::measure_up(),
        ("planes", []) => planes::measure_planes(),
        ("s3", []) => s3::measure_s3(),
        _ => bail!("there is no measurement '{name}'. The measurements are: up, planes, s3, drills"),
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
