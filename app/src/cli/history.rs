//! `escale history` and `escale rollback`: the releases of an application, and the return to an earlier one.
//!
//! A release is a change set that was executed. CloudFormation keeps the last twenty with their templates and parameters, and the
//! stack's events show how each ended.

use super::{
    Output,
    application::Application,
    ask::confirm_name,
    changes::Changes,
    client::{Client, is_code},
    remote::There,
    start,
    up::{Given, Phases, Prepared, RELEASE, Wanted, describe, prepare},
};
use crate::{home::Home, lock, settings::Settings};
use anyhow::{Context, Result, bail};
use clap::Args;
use escale_wire::Element;
use serde_json::json;

#[derive(Args)]
pub(crate) struct History {
    /// The application, if several are deployed.
    app: Option<String>,
    #[command(flatten)]
    there: There,
}

#[derive(Args)]
pub(crate) struct Rollback {
    /// The number of the release in `escale history`; the one before the present one if left out.
    release: Option<usize>,
    /// The application, if several are deployed.
    #[arg(long)]
    app: Option<String>,
    #[command(flatten)]
    there: There,
    /// With --environment: do not ask for the name of the stack. This is the name, for example `shop-prod`.
    #[arg(long, value_name = "STACK", requires = "environment")]
    yes: Option<String>,
}

/// One release, oldest first from 1.
struct Release {
    number: usize,
    change_set: String,
    at: String,
    outcome: Outcome,
    /// `None` if CloudFormation no longer keeps its change set.
    changes: Option<Changes>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    RolledBack,
    InProgress,
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::RolledBack => "failed and undone",
            Outcome::InProgress => "in progress",
        }
    }
}

pub(crate) async fn history(home: &Home, out: &Output, history: &History) -> Result<()> {
    let (application, client) = match history.there.connect(history.app.as_deref()).await? {
        Some(env) => (env.application().await?, env.client),
        None => {
            let application = Application::find(home, history.app.as_deref())?;
            start::ensure(home).await?;
            (application, Client::new(home, &Settings::of(home)?))
        }
    };
    let releases = releases(&client, &application.stack).await?;
    let now = present(&releases);
    let line = |release: &Release| {
        let mark = if now == Some(release.number) { '*' } else { ' ' };
        let changes = match &release.changes {
            Some(changes) => changes.summary(),
            None => "too old to return to".into(),
        };
        let Release { number, at, outcome, .. } = release;
        format!(
            "{mark}{number:>4}  {}  {:<18} {changes}",
            at.replace('T', " ").trim_end_matches('Z'),
            outcome.word()
        )
    };
    let text = releases.iter().rev().map(line).collect::<Vec<_>>().join("\n");
    let value: Vec<_> = releases
        .iter()
        .map(|release| {
            json!({
                "release": release.number, "at": release.at, "outcome": release.outcome.word(),
                "change_set": release.change_set, "present": now == Some(release.number),
                "changes": release.changes.as_ref().map(Changes::json),
            })
        })
        .collect();
    out.say(&text, &json!({"app": application.app, "releases": value}));
    Ok(())
}

pub(crate) async fn rollback(home: &Home, out: &Output, rollback: &Rollback) -> Result<()> {
    if let Some(env) = rollback.there.connect(rollback.app.as_deref()).await? {
        let application = env.application().await?;
        let what = format!("{} on AWS, {}", env.stack(), env.place());
        return return_to(&env.client, out, &application, rollback, Some(&what)).await;
    }
    Application::find(home, rollback.app.as_deref())?;
    let _alone = lock::alone(home)?;
    // Looked up again under the lock: the command that held it may have removed the application.
    let application = Application::find(home, rollback.app.as_deref())?;
    let settings = Settings::of(home)?;
    start::ensure(home).await?;
    return_to(&Client::new(home, &settings), out, &application, rollback, None).await
}

/// Returns to a release. `on_aws` is the target if it has to be confirmed.
async fn return_to(
    client: &Client,
    out: &Output,
    application: &Application,
    rollback: &Rollback,
    on_aws: Option<&str>,
) -> Result<()> {
    let (app, stack) = (&application.app, &application.stack);
    let releases = releases(client, stack).await?;
    let release = chosen(&releases, rollback.release, app)?;
    let mut phases = Phases::new(out);
    phases.begin("compare");
    let Some(prepared) = content_of(client, stack, release, &phases).await? else {
        phases.end();
        out.say(
            &format!("{app} has the content of release {} already.", release.number),
            &json!({"app": app, "changes": []}),
        );
        return Ok(());
    };
    let prepared = without_loss(client, prepared, release).await?;
    for line in prepared.changes.lines(usize::MAX) {
        phases.line(&line);
    }
    if let Some(target) = on_aws {
        phases.line(&format!("  return to release {} of {target}", release.number));
        if let Err(refusal) = phases.pause(|| confirm_name(out, stack, rollback.yes.as_deref())) {
            prepared.discard(client).await?;
            return Err(refusal);
        }
    }
    phases.begin("stack");
    let done = prepared.execute(client, 0, &phases).await?;
    phases.end();
    let summary = done.changes.summary();
    out.say(
        &format!(
            "{app} has the content of release {} again ({summary}). Static files and data are as before.",
            release.number
        ),
        &json!({"app": app, "release": release.number, "changes": done.changes.json()}),
    );
    Ok(())
}

/// Returns to the release before the present one, which does not work.
pub(crate) async fn undo(client: &Client, stack: &str, phases: &Phases) -> Result<()> {
    let releases = releases(client, stack).await?;
    let release = chosen(&releases, None, stack)?;
    let Some(prepared) = content_of(client, stack, release, phases).await? else { return Ok(()) };
    without_loss(client, prepared, release).await?.execute(client, 0, phases).await.map(drop)
}

/// Refuses a return that would replace or remove a resource with data.
async fn without_loss(client: &Client, prepared: Prepared, release: &Release) -> Result<Prepared> {
    let lost: Vec<String> = prepared.changes.stateful().collect();
    if lost.is_empty() {
        return Ok(prepared);
    }
    prepared.discard(client).await?;
    bail!(
        "release {} has other data resources, and a rollback never touches data:\n  {}\nNothing was changed. Change the manifest \
         and run `{}` instead",
        release.number,
        lost.join("\n  "),
        client.verb()
    )
}

/// The newest release that is done.
fn present(releases: &[Release]) -> Option<usize> {
    releases.iter().rev().find(|r| r.outcome == Outcome::Done).map(|r| r.number)
}

fn chosen<'a>(releases: &'a [Release], number: Option<usize>, app: &str) -> Result<&'a Release> {
    let Some(number) = number else {
        let now = present(releases);
        let before = releases.iter().rev().find(|r| r.outcome == Outcome::Done && Some(r.number) != now);
        return before.with_context(|| format!("{app} has no earlier release to return to"));
    };
    let found = releases.iter().find(|r| r.number == number);
    let found = found
        .with_context(|| format!("{app} has no release {number}. `escale history` lists the releases"))?;
    if found.outcome != Outcome::Done {
        bail!("release {number} of {app} is {}, so there is nothing to return to", found.outcome.word());
    }
    Ok(found)
}

/// Prepares the return to the content of a release: its template with its parameters.
async fn content_of(
    client: &Client,
    stack: &str,
    release: &Release,
    phases: &Phases,
) -> Result<Option<Prepared>> {
    let gone = || format!("CloudFormation no longer keeps release {}", release.number);
    let named = named(stack, &release.change_set);
    let template = client.query("cloudformation", "GetTemplate", &named).await.with_context(gone)?;
    let described = client.query("cloudformation", "DescribeChangeSet", &named).await.with_context(gone)?;
    let now = describe(client, stack).await?;
    let pair = |p: &Element| (p.text_of("ParameterKey").to_owned(), p.text_of("ParameterValue").to_owned());
    let present: Vec<_> = now.iter().flat_map(|stack| stack.list("Parameters")).map(pair).collect();
    let given = |parameter: &Element| {
        let (key, value) = pair(parameter);
        // Secret values are not shown. They belong to the application, not to a release. An equal value stays as it is, because
        // an answer in XML may have lost its last line break.
        let is_kept = value == "****" || present.contains(&(key.clone(), value.clone()));
        if is_kept { Given::Previous(key) } else { Given::Value(key, value) }
    };
    let parameters = described.list("Parameters").iter().map(given).collect();
    let wanted =
        Wanted { name: stack, template: template.text_of("TemplateBody"), parameters, prefix: RELEASE };
    prepare(client, &wanted, phases).await
}

fn named(stack: &str, change_set: &str) -> [(String, String); 2] {
    [("StackName".into(), stack.into()), ("ChangeSetName".into(), change_set.into())]
}

/// All releases of a stack, oldest first.
async fn releases(client: &Client, stack: &str) -> Result<Vec<Release>> {
    let request = [("StackName".into(), stack.to_owned())];
    let events = client
        .query_all("cloudformation", "DescribeStackEvents", &request, "StackEvents", "NextToken")
        .await?;
    let mut releases: Vec<Release> = Vec::new();
    let own = |e: &&Element| {
        e.text_of("ResourceType") == "AWS::CloudFormation::Stack" && e.text_of("LogicalResourceId") == stack
    };
    for event in events.iter().rev().filter(own) {
        let (token, status) = (event.text_of("ClientRequestToken"), event.text_of("ResourceStatus"));
        if !token.starts_with(RELEASE) {
            continue;
        }
        if releases.last().is_none_or(|last| last.change_set != token) {
            releases.push(Release {
                number: releases.len() + 1,
                change_set: token.to_owned(),
                at: seconds(event.text_of("Timestamp")),
                outcome: Outcome::InProgress,
                changes: None,
            });
        }
        if let Some(release) = releases.last_mut() {
            release.outcome = match status {
                "CREATE_COMPLETE" | "UPDATE_COMPLETE" => Outcome::Done,
                _ if status.contains("ROLLBACK") || status.ends_with("_FAILED") => Outcome::RolledBack,
                _ => release.outcome,
            };
        }
    }
    for release in &mut releases {
        let mut request = named(stack, &release.change_set).to_vec();
        request.push(("IncludePropertyValues".into(), "true".into()));
        release.changes = match client.query("cloudformation", "DescribeChangeSet", &request).await {
            Ok(described) => Some(Changes::of(&described)),
            Err(error) if is_code(&error, "ChangeSetNotFound") => None,
            Err(error) => return Err(error),
        };
    }
    Ok(releases)
}

/// A time without its fraction.
fn seconds(time: &str) -> String {
    match time.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => time.to_owned(),
    }
}
