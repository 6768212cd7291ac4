//! `escale logs`: prints the logs of an application's tasks from CloudWatch Logs.

use super::{Output, application::Application, client::Client, remote::There};
use crate::{home::Home, settings::Settings};
use anyhow::{Result, bail};
use clap::Args;
use escale_base::{Clock, Timestamp};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};

#[derive(Args)]
pub(crate) struct Logs {
    /// Print the logs of this service only.
    service: Option<String>,
    /// Wait for further lines and print them.
    #[arg(short, long)]
    follow: bool,
    /// The application, if several are deployed.
    #[arg(long)]
    app: Option<String>,
    #[command(flatten)]
    there: There,
}

/// On AWS, where logs go back for months, only the lines of this last time are printed.
const ON_AWS_MS: i64 = 60 * 60 * 1000;

/// Pause between two requests for new lines.
const LOOK_AGAIN: Duration = Duration::from_millis(300);

pub(crate) async fn run(home: &Home, out: &Output, logs: &Logs) -> Result<()> {
    let (application, client, mut from) = match logs.there.connect(logs.app.as_deref()).await? {
        Some(env) => (env.application().await?, env.client, Clock::machine().now().plus_ms(-ON_AWS_MS).0),
        None => {
            (Application::find(home, logs.app.as_deref())?, Client::new(home, &Settings::of(home)?), 0i64)
        }
    };
    // Each request starts at the newest timestamp so far and returns the events of that millisecond again. Their ids show
    // which of them were printed.
    let mut seen = BTreeSet::new();
    loop {
        let mut events = Vec::new();
        for group in groups(&client, &application, logs.service.as_deref()).await? {
            events.extend(read(&client, &group, from).await?);
        }
        events.sort_by_key(|e| e["timestamp"].as_i64());
        for event in events {
            let id = event["eventId"].as_str().unwrap_or_default().to_owned();
            if seen.insert(id) {
                from = from.max(event["timestamp"].as_i64().unwrap_or(0));
                print(out, &event);
            }
        }
        if !logs.follow {
            return Ok(());
        }
        client.pause(LOOK_AGAIN).await;
    }
}

/// The log groups of the application's services, or of the named one only.
async fn groups(client: &Client, application: &Application, service: Option<&str>) -> Result<Vec<String>> {
    let (app, prefix) = (&application.app, format!("/ecs/{}/", application.stack));
    let (mut groups, mut token) = (Vec::new(), Value::Null);
    loop {
        let mut input = json!({"logGroupNamePrefix": prefix});
        if !token.is_null() {
            input["nextToken"] = token;
        }
        let found = client.json("logs", "DescribeLogGroups", input).await?;
        let page = found["logGroups"].as_array().into_iter().flatten();
        groups.extend(page.filter_map(|g| g["logGroupName"].as_str().map(str::to_owned)));
        token = found["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    let Some(service) = service else { return Ok(groups) };
    let wanted = format!("{prefix}{service}");
    if groups.contains(&wanted) {
        return Ok(vec![wanted]);
    }
    match groups.iter().filter_map(|g| g.strip_prefix(&prefix)).collect::<Vec<_>>().as_slice() {
        [] => bail!("the service {service} has no logs, because {app} has no services yet"),
        known => bail!("{app} has no service '{service}'. Its services are: {}", known.join(", ")),
    }
}

pub(super) async fn read(client: &Client, group: &str, from: i64) -> Result<Vec<Value>> {
    let (mut events, mut token) = (Vec::new(), Value::Null);
    loop {
        let mut input = json!({"logGroupName": group, "startTime": from});
        if !token.is_null() {
            input["nextToken"] = token;
        }
        let found = client.json("logs", "FilterLogEvents", input).await?;
        events.extend(found["events"].as_array().into_iter().flatten().cloned());
        token = found["nextToken"].clone();
        if token.is_null() {
            return Ok(events);
        }
    }
}

fn print(out: &Output, event: &Value) {
    if out.json {
        super::print(&format!("{event}\n"));
        return;
    }
    let at = Timestamp(event["timestamp"].as_i64().unwrap_or(0)).iso8601();
    let stream = event["logStreamName"].as_str().unwrap_or_default();
    let mut parts = stream.split('/');
    let (service, task) = (parts.next().unwrap_or_default(), parts.next_back().unwrap_or_default());
    let task: String = task.chars().take(8).collect();
    let message = event["message"].as_str().unwrap_or_default().trim_end();
    super::print(&format!("{at} {service} {task}  {message}\n"));
}
