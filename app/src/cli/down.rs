//! `escale down`: removes an application and everything that ran for it.

use super::{
    Output,
    application::Application,
    ask::ask,
    client::Client,
    reset, start,
    up::{self, Phases},
};
use crate::{home::Home, lock, settings::Settings};
use anyhow::Result;
use clap::Args;
use escale_wire::Element;
use serde_json::json;

#[derive(Args)]
pub(crate) struct Down {
    /// The application, if several are deployed.
    app: Option<String>,
    /// Do not ask for confirmation before data is deleted permanently: objects in buckets, databases without a snapshot.
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(home: &Home, out: &Output, down: &Down) -> Result<()> {
    Application::find(home, down.app.as_deref())?;
    let _alone = lock::alone(home)?;
    // Looked up again under the lock: the command that held it may have removed the application.
    let application = Application::find(home, down.app.as_deref())?;
    let settings = Settings::of(home)?;
    start::ensure(home).await?;
    let client = Client::new(home, &settings);
    if !down.yes {
        let losses = up::losses(&client, &application.stack).await?;
        let app = &application.app;
        // Resources that `up` creates again, and databases that leave a snapshot, need no answer.
        if !losses.is_empty() {
            let what = format!("Removing {app} permanently deletes this data:");
            ask(out, &what, &losses, &format!("{app} was not removed"))?;
        }
    }
    let mut phases = Phases::new(out);
    let snapshots = remove(home, &client, &application, Images::Remove, &mut phases).await?;
    let ended = end_if_empty(home, &client, &mut phases).await?;
    phases.end();
    let mut text = format!("Removed {}.", application.app);
    text += &kept(&snapshots);
    if ended {
        text += "\nThe daemon has stopped, because no network is left. Buckets and records outside the application are \
                 kept; `escale start` makes them available again.";
    }
    out.say(
        &text,
        &json!({"app": application.app, "removed": true, "snapshots": snapshots, "daemon_stopped": ended}),
    );
    Ok(())
}

/// Whether an application's image repositories are removed with it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Images {
    Remove,
    /// They existed before the application.
    Keep,
}

/// Removes an application: its resources, its data and the record of it. Returns the snapshots that are kept of its databases.
pub(crate) async fn remove(
    home: &Home,
    client: &Client,
    application: &Application,
    images: Images,
    phases: &mut Phases,
) -> Result<Vec<String>> {
    phases.begin("remove stack");
    let before = snapshots(client, &application.stack).await?;
    up::empty_buckets(client, &application.stack).await?;
    let families = up::families(client, &application.stack).await?;
    up::remove(client, &application.stack, phases).await?;
    up::forget_retained(client, &families).await?;
    if images == Images::Remove {
        phases.begin("remove images");
        up::remove(client, &application.registry_stack, phases).await?;
    }
    let mut now = snapshots(client, &application.stack).await?;
    now.retain(|snapshot| !before.contains(snapshot));
    // Last: as long as a resource of the application exists, `escale down` must find the application.
    application.forget(home)?;
    Ok(now)
}

/// Ends the daemon and removes what it left on the machine, if no network needs the cloud any more. Records and snapshots are
/// kept.
pub(crate) async fn end_if_empty(home: &Home, client: &Client, phases: &mut Phases) -> Result<bool> {
    if !is_empty(client).await? {
        return Ok(false);
    }
    phases.begin("daemon");
    reset::leave_the_machine(home).await?;
    Ok(true)
}

/// The line about the final snapshots of databases; empty without any.
pub(crate) fn kept(snapshots: &[String]) -> String {
    let what = match snapshots {
        [] => return String::new(),
        [one] => format!("Its database is kept as the snapshot {one}"),
        several => format!("Its databases are kept as the snapshots {}", several.join(", ")),
    };
    format!("\n{what}. List snapshots with `escale aws rds describe-db-snapshots`.")
}

/// The manual snapshots of the databases of a stack.
async fn snapshots(client: &Client, stack: &str) -> Result<Vec<String>> {
    let request = [("SnapshotType".into(), "manual".into())];
    let found = client.query_all("rds", "DescribeDBSnapshots", &request, "DBSnapshots", "Marker").await?;
    let prefix = format!("{stack}-");
    let own = found.iter().filter(|s| s.text_of("DBInstanceIdentifier").starts_with(&prefix));
    Ok(own.map(|s| s.text_of("DBSnapshotIdentifier").to_owned()).collect())
}

/// Whether only the account's default VPC is left and nothing runs in it. Everything that runs has a network interface.
async fn is_empty(client: &Client) -> Result<bool> {
    let own: [(String, String); 2] =
        [("Filter.1.Name".into(), "is-default".into()), ("Filter.1.Value.1".into(), "false".into())];
    let none = |found: Element, set: &str| found.find(set).is_none_or(|set| set.children.is_empty());
    Ok(none(client.query("ec2", "DescribeVpcs", &own).await?, "vpcSet")
        && none(client.query("ec2", "DescribeNetworkInterfaces", &[]).await?, "networkInterfaceSet"))
}
