//! Releases: an update that first runs the release commands of services, and then moves the services.
//!
//! ```text
//! change set 1: everything new, but each service keeps its task definition (the first time: no tasks), and nothing is removed
//! RunTask:      each release command, as a task with the new image
//! change set 2: the services move, and what the manifest no longer has is removed
//! ```
//! If a command fails, the second change set is not made, so the services run as before.

use super::{
    kept,
    phases::Phases,
    stack::{self, Deployment, Given, HOLD, Wanted},
};
use crate::cli::{
    changes::Changes,
    client::{Client, is_code},
};
use anyhow::{Context, Result, bail};
use escale_blueprint::{Held, RUNS_NEW, RUNS_NOTHING, Template};
use escale_wire::Element;
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};

/// Pause between two requests for the state of a task.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// The error of a failed command shows so many of its last lines.
const LINES: usize = 20;
/// The last lines of a task arrive in CloudWatch Logs shortly after its end; they are waited for this many times.
const LOOKS_FOR_LINES: usize = 20;

/// Deploys the stack, with the release commands if there is anything for them to do. `agree` decides about the changes before
/// they are made.
pub(super) async fn deploy(
    client: &Client,
    template: &Template,
    wanted: Wanted<'_>,
    agree: impl AsyncFnOnce(&Changes, &Phases) -> Result<()>,
    phases: &mut Phases,
) -> Result<Deployment> {
    if template.held.is_empty() {
        let agree = async |changes: &Changes| agree(changes, phases).await;
        return stack::deploy(client, &wanted, agree, phases).await;
    }
    let now = stack::settle(client, wanted.name, phases).await?;
    let mut planned = Changes::default();
    if let Some(now) = &now {
        let prepared = stack::prepare(client, &wanted, phases).await?;
        let is_open = template.held.iter().any(|held| runs(now, held).is_some_and(|value| value != RUNS_NEW));
        let commands: Vec<&str> = template.held.iter().filter_map(|held| held.release.as_deref()).collect();
        let changes = |prepared: &stack::Prepared| {
            prepared.changes.0.iter().any(|change| commands.contains(&change.logical.as_str()))
        };
        match prepared {
            None if !is_open => {
                return Ok(Deployment { outputs: stack::outputs(now), changes: planned });
            }
            None => {}
            Some(prepared) if !is_open && !changes(&prepared) => {
                let agree = async |changes: &Changes| agree(changes, phases).await;
                return stack::execute(client, prepared, wanted.template, agree, phases).await;
            }
            Some(prepared) => {
                let agreed = agree(&prepared.changes, phases).await;
                prepared.discard(client).await?;
                agreed?;
                planned = prepared.changes;
            }
        }
    }
    let mut parameters = wanted.parameters.clone();
    parameters.retain(|given| !template.held.iter().any(|held| held.parameter == given.key()));
    for held in &template.held {
        let value = held_value(client, wanted.name, now.as_ref(), held).await?;
        parameters.push(Given::Value(held.parameter.clone(), value));
    }
    let kept = match &now {
        Some(_) => with_removed(client, &wanted).await?,
        None => None,
    };
    let (text, only_present) = kept.unwrap_or_else(|| (wanted.template.to_owned(), Vec::new()));
    parameters.extend(only_present.into_iter().map(Given::Previous));
    let hold = Wanted { template: &text, parameters, prefix: HOLD, ..wanted };
    stack::deploy(client, &hold, async |_| Ok(()), phases).await?;
    phases.begin("release");
    for held in &template.held {
        if let Some(task) = &held.release {
            run(client, wanted.name, held, task, phases).await?;
        }
    }
    phases.begin("services");
    let done = stack::deploy(client, &wanted, async |_| Ok(()), phases).await?;
    for held in &template.held {
        forget_earlier(client, wanted.name, held).await?;
    }
    let changes = if planned.is_empty() { done.changes } else { planned };
    Ok(Deployment { outputs: done.outputs, changes })
}

/// The wanted template with the resources of the stack that it no longer has; see [`kept`].
async fn with_removed(client: &Client, wanted: &Wanted<'_>) -> Result<Option<(String, Vec<String>)>> {
    let named = [("StackName".to_owned(), wanted.name.to_owned())];
    let found = client.query("cloudformation", "GetTemplate", &named).await?;
    // A template that is not JSON was not deployed by `up`, so its resources are not those of an earlier manifest.
    let Ok(present) = serde_json::from_str(found.text_of("TemplateBody")) else { return Ok(None) };
    let new = serde_json::from_str(wanted.template).context("the template of the manifest is not JSON")?;
    Ok(kept::with_removed(&present, &new).map(|(all, parameters)| (all.to_string(), parameters)))
}

/// The stack's value of a service's parameter; `None` if it has no such parameter yet.
fn runs<'a>(stack: &'a Element, held: &Held) -> Option<&'a str> {
    let parameters = stack.list("Parameters").iter();
    let mut own = parameters.filter(|p| p.text_of("ParameterKey") == held.parameter);
    own.next().map(|p| p.text_of("ParameterValue"))
}

/// What the service runs until the release commands have succeeded.
async fn held_value(client: &Client, stack: &str, now: Option<&Element>, held: &Held) -> Result<String> {
    let nothing = || Ok(RUNS_NOTHING.to_owned());
    let Some(now) = now else { return nothing() };
    // An earlier first deployment was interrupted.
    if runs(now, held) == Some(RUNS_NOTHING) {
        return nothing();
    }
    match service(client, stack, held).await? {
        Some(service) => {
            let definition = service["taskDefinition"].as_str();
            Ok(definition.context("ECS's response to DescribeServices has no task definition")?.to_owned())
        }
        None => nothing(),
    }
}

async fn service(client: &Client, cluster: &str, held: &Held) -> Result<Option<Value>> {
    let request = json!({"cluster": cluster, "services": [held.service]});
    let found = match client.json("ecs", "DescribeServices", request).await {
        Err(error) if is_code(&error, "ClusterNotFoundException") => return Ok(None),
        found => found?,
    };
    let mut active = found["services"].as_array().into_iter().flatten().filter(|s| s["status"] == "ACTIVE");
    Ok(active.next().cloned())
}

/// Runs one release command to its end.
async fn run(client: &Client, stack: &str, held: &Held, task: &str, phases: &Phases) -> Result<()> {
    let name = &held.service;
    phases.set_message(format!("the release command of {name}"));
    let resource = [("StackName".into(), stack.into()), ("LogicalResourceId".into(), task.into())];
    let found = client.query("cloudformation", "DescribeStackResource", &resource).await?;
    let definition = found.find("StackResourceDetail").map(|d| d.text_of("PhysicalResourceId"));
    let definition = definition.with_context(|| format!("the stack {stack} has no resource {task}"))?;
    let service = service(client, stack, held).await?;
    let service = service.with_context(|| format!("the cluster {stack} has no service {name}"))?;
    let request = json!({
        "cluster": stack, "taskDefinition": definition, "launchType": "FARGATE", "startedBy": "release",
        "networkConfiguration": service["networkConfiguration"],
    });
    let started = client.json("ecs", "RunTask", request).await?;
    let Some(arn) = started["tasks"][0]["taskArn"].as_str() else {
        bail!("the release command of {name} could not be started: {}", started["failures"]);
    };
    let ended = loop {
        let request = json!({"cluster": stack, "tasks": [arn]});
        let found = client.json("ecs", "DescribeTasks", request).await?;
        let task = &found["tasks"][0];
        match task["lastStatus"].as_str() {
            Some("STOPPED") => break task.clone(),
            Some(status) => phases.set_message(format!("the release command of {name} ({status})")),
            None => bail!("the task of the release command of {name} has disappeared: {arn}"),
        }
        client.pause(LOOK_AGAIN).await;
    };
    let container = &ended["containers"][0];
    let why = match container["exitCode"].as_i64() {
        Some(0) => return Ok(()),
        Some(code) => format!("it ended with exit code {code}"),
        None => {
            let reason = container["reason"].as_str().or(ended["stoppedReason"].as_str());
            reason.unwrap_or("it ended without an exit code").to_owned()
        }
    };
    let id = arn.rsplit('/').next().unwrap_or_default();
    let lines = last_lines(client, &format!("/ecs/{stack}/{name}"), &format!("release/{name}/{id}")).await?;
    bail!("the release command of {name} failed, so no service was changed: {why}{lines}")
}

/// The last lines of a log stream, indented; empty if there are none.
async fn last_lines(client: &Client, group: &str, stream: &str) -> Result<String> {
    for _ in 0..LOOKS_FOR_LINES {
        let request =
            json!({"logGroupName": group, "logStreamName": stream, "limit": LINES, "startFromHead": false});
        let found = match client.json("logs", "GetLogEvents", request).await {
            Err(error) if is_code(&error, "ResourceNotFoundException") => Value::Null,
            found => found?,
        };
        let messages = found["events"].as_array().into_iter().flatten().filter_map(|e| e["message"].as_str());
        let lines: String = messages.map(|line| format!("\n  {}", line.trim_end())).collect();
        if !lines.is_empty() {
            return Ok(format!(". Its last lines:{lines}"));
        }
        client.pause(LOOK_AGAIN).await;
    }
    Ok(" (it printed nothing)".into())
}

/// Deregisters the earlier task definitions of a service. The template retains them when they are replaced, because services run
/// them until the release commands have succeeded.
async fn forget_earlier(client: &Client, stack: &str, held: &Held) -> Result<()> {
    match service(client, stack, held).await? {
        Some(service) => {
            let present = service["taskDefinition"].as_str().unwrap_or_default();
            forget_family(client, &format!("{stack}-{}", held.service), present).await
        }
        None => Ok(()),
    }
}

/// Deregisters the active task definitions of a family, except one.
async fn forget_family(client: &Client, family: &str, except: &str) -> Result<()> {
    let request = json!({"familyPrefix": family, "status": "ACTIVE"});
    let found = client.json("ecs", "ListTaskDefinitions", request).await?;
    let all = found["taskDefinitionArns"].as_array().into_iter().flatten();
    for earlier in all.filter(|arn| *arn != except) {
        client.json("ecs", "DeregisterTaskDefinition", json!({"taskDefinition": earlier})).await?;
    }
    Ok(())
}

/// The families of a stack's task definitions.
pub(crate) async fn families(client: &Client, stack: &str) -> Result<BTreeSet<String>> {
    let resources = stack::resources(client, stack).await?;
    let definitions = resources.iter().filter(|r| r.text_of("ResourceType") == "AWS::ECS::TaskDefinition");
    let family = |r: &Element| {
        let (_, name) = r.text_of("PhysicalResourceId").rsplit_once('/')?;
        Some(name.split(':').next()?.to_owned())
    };
    Ok(definitions.filter_map(family).collect())
}

/// Deregisters what a removed stack has retained: services ran it when the last release command failed.
pub(crate) async fn forget_retained(client: &Client, families: &BTreeSet<String>) -> Result<()> {
    for family in families {
        forget_family(client, family, "").await?;
    }
    Ok(())
}
