//! `escale down`: removes an application and everything that ran for it.

use super::{
    Output,
    application::Application,
    client::Client,
    reset, start,
    up::{self, Phases},
};
use crate::{home::Home, lock, settings::Settings};
use anyhow::Result;
use clap::Args;
use serde_json::json;

#[derive(Args)]
pub(crate) struct Down {
    /// The application, when several run.
    app: Option<String>,
}

pub(crate) async fn run(home: &Home, out: &Output, down: &Down) -> Result<()> {
    Application::find(home, down.app.as_deref())?;
    let _alone = lock::alone(home)?;
    // Who was waited for may have removed it.
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
    let snapshot = last_snapshot(&client, &application.stack).await?;
    let ends = is_empty(&client).await?;
    if ends {
        // Nobody is left who needs the cloud: it leaves the machine as it found it. Its records and snapshots stay.
        phases.begin("daemon");
        reset::leave_the_machine(home).await?;
    }
    phases.end();
    let mut text = format!("{} is gone", application.app);
    if let Some(snapshot) = &snapshot {
        text += &format!(
            "\nits database is kept as the snapshot {snapshot}: escale aws rds describe-db-snapshots"
        );
    }
    if ends {
        text += "\nthe daemon has stopped, for no network is left; buckets and records of your own stay: escale start";
    }
    out.say(
        &text,
        &json!({"app": application.app, "removed": true, "snapshot": snapshot, "daemon_stopped": ends}),
    );
    Ok(())
}

/// What CloudFormation kept of the application's database.
async fn last_snapshot(client: &Client, stack: &str) -> Result<Option<String>> {
    let found =
        client.query("rds", "DescribeDBSnapshots", &[("SnapshotType".into(), "manual".into())]).await?;
    let prefix = format!("{stack}-");
    let own = found
        .list("DBSnapshots")
        .iter()
        .filter(|snapshot| snapshot.text_of("DBInstanceIdentifier").starts_with(&prefix));
    let newest = own.max_by_key(|snapshot| snapshot.text_of("SnapshotCreateTime").to_owned());
    Ok(newest.map(|snapshot| snapshot.text_of("DBSnapshotIdentifier").to_owned()))
}

/// Whether no network is left: everything that runs stands in one.
async fn is_empty(client: &Client) -> Result<bool> {
    let found = client.query("ec2", "DescribeVpcs", &[]).await?;
    Ok(found.find("vpcSet").is_none_or(|set| set.children.is_empty()))
}
