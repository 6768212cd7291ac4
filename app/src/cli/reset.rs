//! `escale reset`: deletes this installation permanently.

use super::{Output, stop, trust};
use crate::{home::Home, lock, plane, planes};
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;
use std::fs;

#[derive(Args)]
pub(crate) struct Reset {
    /// Confirm that all applications and all data are deleted.
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(home: &Home, out: &Output, reset: &Reset) -> Result<()> {
    if !reset.yes {
        bail!(
            "nothing was removed: `escale reset` deletes every application, database, bucket and image below {} and needs a \
             confirmation. Pass --yes to confirm",
            home.path().display()
        );
    }
    // A reset works even if the home's folder does not exist: databases may be stored elsewhere, and processes outlive files
    // that were removed by hand.
    let was_there = home.path().exists();
    let _alone = lock::alone(home)?;
    end_daemon(home).await?;
    planes::wipe(home).await?;
    for entry in
        fs::read_dir(home.path()).with_context(|| format!("cannot list {}", home.path().display()))?
    {
        planes::remove(&entry?.path())?;
    }
    planes::remove(&home.databases_elsewhere())?;
    if !was_there {
        fs::remove_dir(home.path()).with_context(|| format!("cannot remove {}", home.path().display()))?;
    }
    // The keys of the certificate are gone, so nobody needs to trust it. A failure must not keep the rest from being removed.
    let (stores, hints) = match trust::undo(home, false) {
        Ok(done) => (done.stores, done.hints),
        Err(error) => (Vec::new(), vec![format!("The root certificate could not be removed: {error:#}")]),
    };
    let mut text = "Removed all applications and all data.".to_owned();
    for store in &stores {
        text += &format!("\nRemoved the root certificate from {store}.");
    }
    let text = hints.iter().fold(text, |text, hint| format!("{text}\n{hint}"));
    out.say(&text, &json!({"removed": true, "stores": stores, "hints": hints}));
    Ok(())
}

/// Ends the daemon and the data plane, and removes what they left on the machine outside of the home: namespaces and processes. Data is kept.
pub(crate) async fn leave_the_machine(home: &Home) -> Result<()> {
    end_daemon(home).await?;
    planes::take_down(home).await
}

async fn end_daemon(home: &Home) -> Result<()> {
    super::lift_abandoned(home)?;
    if let Some(daemon) = lock::running(home)? {
        stop::end(daemon.pid)?;
    }
    // After the daemon, which would start it again.
    plane::end(home).await.map(drop)
}
