//! `escale trail`: prints the recorded API calls, and why calls were denied, from CloudTrail.

use super::{Output, client::Client};
use crate::{home::Home, settings::Settings};
use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

#[derive(Args)]
pub(crate) struct Trail {
    /// Wait for further calls and print them.
    #[arg(short, long)]
    follow: bool,
    /// Print only denied calls, with the policy statement that denied them.
    #[arg(long)]
    denied: bool,
    /// Print this many of the newest calls.
    #[arg(short = 'n', long, default_value_t = 50)]
    count: usize,
}

/// Pause between two lookups.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// A lookup goes back this far behind the newest event, in seconds: calls are recorded in the order in which they end.
const OVERLAP_SECS: i64 = 5;

pub(crate) async fn run(home: &Home, out: &Output, trail: &Trail) -> Result<()> {
    let client = Client::new(home, &Settings::of(home)?);
    let mut events = lookup(&client, trail, None, trail.count).await?;
    // The ids that an overlapping lookup can return again, by second.
    let mut seen: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    loop {
        for event in events.iter().rev() {
            let (at, id) = (second(event), event["EventId"].as_str().unwrap_or_default());
            let ids = seen.entry(at).or_default();
            if !ids.iter().any(|known| known == id) {
                ids.push(id.to_owned());
                print(out, event)?;
            }
        }
        if !trail.follow {
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        let newest = seen.keys().next_back().copied();
        let from = newest.map(|at| at - OVERLAP_SECS);
        seen = from.map_or_else(BTreeMap::new, |from| seen.split_off(&from));
        events = lookup(&client, trail, from, usize::MAX).await?;
    }
}

/// The newest events first.
async fn lookup(client: &Client, trail: &Trail, from: Option<i64>, most: usize) -> Result<Vec<Value>> {
    let (mut events, mut token) = (Vec::new(), Value::Null);
    while events.len() < most {
        let mut input = json!({});
        if let Some(from) = from {
            input["StartTime"] = from.into();
        }
        if trail.denied {
            input["LookupAttributes"] =
                json!([{"AttributeKey": "ResourceType", "AttributeValue": "Escale::Denial"}]);
        }
        if !token.is_null() {
            input["NextToken"] = token;
        }
        let found = client.json("cloudtrail", "LookupEvents", input).await?;
        events.extend(found["Events"].as_array().into_iter().flatten().cloned());
        token = found["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    events.truncate(most);
    Ok(events)
}

fn second(event: &Value) -> i64 {
    event["EventTime"].as_f64().map_or(0, |secs| secs as i64)
}

fn print(out: &Output, event: &Value) -> Result<()> {
    let text =
        event["CloudTrailEvent"].as_str().context("CloudTrail returned an event without its record")?;
    if out.json {
        super::print(&format!("{text}\n"))
    } else {
        super::print(&line(&serde_json::from_str(text)?))
    }
    Ok(())
}

/// A line for the call, and for a denial another one that names the deciding statement.
fn line(event: &Value) -> String {
    let text = |member: &str| event[member].as_str().unwrap_or_default();
    let service = text("eventSource").split('.').next().unwrap_or_default();
    let outcome = match text("errorCode") {
        "" => "ok",
        code => code,
    };
    let resource = event["resources"].as_array().into_iter().flatten().find_map(|r| r["ARN"].as_str());
    let extra = &event["additionalEventData"];
    let from = match extra["entrance"].as_str() {
        Some("cloud") => format!("{} (inside)", text("sourceIPAddress")),
        _ => text("sourceIPAddress").to_owned(),
    };
    let call = format!(
        "{}  {}  {from}  {service}:{}  {}  {outcome}\n",
        text("eventTime"),
        who(&event["userIdentity"]),
        text("eventName"),
        resource.unwrap_or("*"),
    );
    match why(&extra["denial"]) {
        Some(why) => format!("{call}    {why}\n"),
        None => call,
    }
}

fn who(identity: &Value) -> &str {
    let known = ["arn", "invokedBy"].iter().find_map(|member| identity[member].as_str());
    known.unwrap_or("anonymous")
}

fn why(denial: &Value) -> Option<String> {
    let action = denial["action"].as_str().unwrap_or_default();
    let resource = denial["resource"].as_str().unwrap_or("*");
    Some(match denial["reason"].as_str()? {
        "no-allow" => format!("no policy statement allows {action} on {resource}"),
        "root-inside-cloud" => {
            "the root principal is accepted at the host's endpoint only, and this call came from inside the cloud".into()
        }
        _ => {
            let policy = &denial["policy"];
            let text = |member: &str| policy[member].as_str().unwrap_or_default();
            let policy = match text("type") {
                "inline" => format!("the inline policy {} of {}", text("name"), text("of")),
                "managed" => format!("the managed policy {}", text("arn")),
                "resource" => format!("the policy of the resource {}", text("of")),
                _ => return Some(format!("the resource's policy cannot be read, so {action} on {resource} is denied")),
            };
            let statement = &denial["statement"];
            let sid = statement["sid"].as_str().map(|sid| format!(" ({sid})")).unwrap_or_default();
            format!("statement {}{sid} of {policy} denies {action} on {resource}", statement["index"])
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denial_names_the_deciding_statement() {
        let inline = json!({"type": "inline", "name": "own", "of": "arn:aws:iam::1:user/ada"});
        let managed = json!({"type": "managed", "arn": "arn:aws:iam::aws:policy/P"});
        let statement = json!({"index": 2, "sid": "NoVpc"});
        for (denial, expected) in [
            (
                json!({"reason": "explicit-deny", "action": "ec2:CreateVpc", "policy": inline, "statement": statement}),
                "statement 2 (NoVpc) of the inline policy own of arn:aws:iam::1:user/ada denies ec2:CreateVpc on *",
            ),
            (
                json!({"reason": "explicit-deny", "action": "s3:GetObject", "resource": "arn:aws:s3:::b/k", "policy": managed,
                       "statement": {"index": 0, "sid": null}}),
                "statement 0 of the managed policy arn:aws:iam::aws:policy/P denies s3:GetObject on arn:aws:s3:::b/k",
            ),
            (
                json!({"reason": "no-allow", "action": "ec2:CreateVpc"}),
                "no policy statement allows ec2:CreateVpc on *",
            ),
        ] {
            assert_eq!(why(&denial).as_deref(), Some(expected));
        }
        assert_eq!(why(&Value::Null), None);
    }
}
