//! `escale down`: removes an application and everything that ran for it.

use super::{
    Output,
    application::Application,
    client::Client,
    reset, start,
    up::{self, Phases},
    xml::Xml,
};
use crate::{home::Home, lock, settings::Settings};
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;
use std::io::{IsTerminal, Write};

#[derive(Args)]
pub(crate) struct Down {
    /// The application, when several run.
    app: Option<String>,
    /// Do not ask before data is lost: objects in buckets, databases without a snapshot.
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(home: &Home, out: &Output, down: &Down) -> Result<()> {
    Application::find(home, down.app.as_deref())?;
    let _alone = lock::alone(home)?;
    // Who was waited for may have removed it.
    let application = Application::find(home, down.app.as_deref())?;
    let settings = Settings::of(home)?;
    start::ensure(home).await?;
    let client = Client::new(home, &settings);
    if !down.yes {
        ask(out, &application, &up::losses(&client, &application.stack).await?)?;
    }
    let mut phases = Phases::new(out);
    let snapshots = remove(home, &client, &application, Images::Remove, &mut phases).await?;
    let ended = end_if_empty(home, &client, &mut phases).await?;
    phases.end();
    let mut text = format!("{} is gone", application.app);
    text += &kept(&snapshots);
    if ended {
        text += "\nthe daemon has stopped, for no network is left; buckets and records of your own stay: escale start";
    }
    out.say(
        &text,
        &json!({"app": application.app, "removed": true, "snapshots": snapshots, "daemon_stopped": ended}),
    );
    Ok(())
}

/// Nothing is asked when nothing is lost: what `up` makes again, and databases of which a snapshot is kept.
fn ask(out: &Output, application: &Application, losses: &[String]) -> Result<()> {
    if losses.is_empty() {
        return Ok(());
    }
    let app = &application.app;
    let list: String = losses.iter().map(|loss| format!("\n  {loss}")).collect();
    if out.json || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        bail!(
            "removing {app} deletes for good:{list}\nnothing was removed; pass --yes to remove it with this data"
        );
    }
    eprint!("Removing {app} deletes for good:{list}\nRemove it? [y/N] ");
    std::io::stderr().flush().context("cannot ask")?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("cannot read the answer")?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => bail!("nothing of {app} was removed"),
    }
}

/// What becomes of an application's image repositories.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Images {
    Remove,
    /// They were there before the application.
    Keep,
}

/// Removes an application: what runs, what is stored, what is remembered of it. Gives the snapshots that stay of its databases.
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
    up::remove(client, &application.stack, phases).await?;
    if images == Images::Remove {
        phases.begin("remove images");
        up::remove(client, &application.registry_stack, phases).await?;
    }
    let mut now = snapshots(client, &application.stack).await?;
    now.retain(|snapshot| !before.contains(snapshot));
    // The last thing: as long as anything stays, `escale down` must know it.
    application.forget(home)?;
    Ok(now)
}

/// Ends the daemon if nobody is left who needs the cloud, which then leaves the machine as it found it. Its records and snapshots stay.
pub(crate) async fn end_if_empty(home: &Home, client: &Client, phases: &mut Phases) -> Result<bool> {
    if !is_empty(client).await? {
        return Ok(false);
    }
    phases.begin("daemon");
    reset::leave_the_machine(home).await?;
    Ok(true)
}

/// What is told of the last snapshots of databases: a line, or nothing.
pub(crate) fn kept(snapshots: &[String]) -> String {
    let what = match snapshots {
        [] => return String::new(),
        [one] => format!("its database is kept as the snapshot {one}"),
        several => format!("its databases are kept as the snapshots {}", several.join(", ")),
    };
    format!("\n{what}: escale aws rds describe-db-snapshots")
}

/// What CloudFormation kept of the databases of a stack.
async fn snapshots(client: &Client, stack: &str) -> Result<Vec<String>> {
    let request = [("SnapshotType".into(), "manual".into())];
    let found = client.query_all("rds", "DescribeDBSnapshots", &request, "DBSnapshots", "Marker").await?;
    let prefix = format!("{stack}-");
    let own = found.iter().filter(|s| s.text_of("DBInstanceIdentifier").starts_with(&prefix));
    Ok(own.map(|s| s.text_of("DBSnapshotIdentifier").to_owned()).collect())
}

/// Whether no VPC is left but the account's default one, and nothing runs in that: everything that runs has a network interface.
async fn is_empty(client: &Client) -> Result<bool> {
    let own: [(String, String); 2] =
        [("Filter.1.Name".into(), "is-default".into()), ("Filter.1.Value.1".into(), "false".into())];
    let none = |found: Xml, set: &str| found.find(set).is_none_or(|set| set.children.is_empty());
    Ok(none(client.query("ec2", "DescribeVpcs", &own).await?, "vpcSet")
        && none(client.query("ec2", "DescribeNetworkInterfaces", &[]).await?, "networkInterfaceSet"))
}
