//! `escale reset`: removes everything of this home, for good.

use super::{Output, stop};
use crate::{home::Home, lock, planes};
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;
use std::fs;

#[derive(Args)]
pub(crate) struct Reset {
    /// Yes, all applications and all data.
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(home: &Home, out: &Output, reset: &Reset) -> Result<()> {
    if !reset.yes {
        bail!(
            "this removes every application, database, bucket and image below {}; pass --yes to do it",
            home.path().display()
        );
    }
    // Without its folder, too: databases may lie elsewhere, and processes outlive files that were removed by hand.
    let was_there = home.path().exists();
    let _alone = lock::alone(home)?;
    end_daemon(home)?;
    planes::wipe(home).await?;
    for entry in fs::read_dir(home.path()).context("cannot read the home")? {
        planes::remove(&entry?.path())?;
    }
    planes::remove(&home.databases_elsewhere())?;
    if !was_there {
        fs::remove_dir(home.path()).with_context(|| format!("cannot remove {}", home.path().display()))?;
    }
    out.say("everything is removed", &json!({"removed": true}));
    Ok(())
}

/// Ends the daemon and takes down what stands on the machine outside of the home: namespaces, processes. Data stays.
pub(crate) async fn leave_the_machine(home: &Home) -> Result<()> {
    end_daemon(home)?;
    planes::take_down(home).await
}

fn end_daemon(home: &Home) -> Result<()> {
    match lock::running(home)? {
        Some(daemon) => stop::end(daemon.pid),
        None => Ok(()),
    }
}
