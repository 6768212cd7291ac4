//! `escale down`: removes an application and everything that ran for it.

use super::{
    Output,
    application::Application,
    client::Client,
    reset, start,
    up::{self, Phases},
};
use crate::{home::Home, settings::Settings};
use anyhow::Result;
use clap::Args;
use serde_json::json;

#[derive(Args)]
pub(crate) struct Down {
    /// The application, when several run.
    app: Option<String>,
}

pub(crate) async fn run(home: &Home, out: &Output, down: &Down) -> Result<()> {
    let application = Application::find(home, down.app.as_deref())?;
    let settings = Settings::of(home)?;
    start::ensure(home).await?;
    let client = Client::new(&settings);
    let mut phases = Phases::new(out);
    phases.begin("stack");
    up::empty_buckets(&client, &application.stack).await?;
    up::remove(&client, &application.stack, &phases).await?;
    phases.begin("images");
    up::remove(&client, &application.registry_stack, &phases).await?;
    application.forget(home)?;
    if is_empty(&client).await? {
        // Nobody is left who needs the cloud: it leaves the machine as it found it. Its records and snapshots stay.
        phases.begin("daemon");
        reset::leave_the_machine(home).await?;
    }
    phases.end();
    out.say(&format!("{} is gone", application.app), &json!({"app": application.app, "removed": true}));
    Ok(())
}

/// Whether no network is left: everything that runs stands in one.
async fn is_empty(client: &Client) -> Result<bool> {
    let found = client.query("ec2", "DescribeVpcs", &[]).await?;
    Ok(found.find("vpcSet").is_none_or(|set| set.children.is_empty()))
}
