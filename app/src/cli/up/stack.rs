//! Deploys a stack and follows it until it stands or has failed.

use super::phases::Phases;
use crate::cli::{
    client::{Client, is_code},
    xml::Xml,
};
use anyhow::{Result, bail};
use escale_service::Readiness;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Pause between two looks at a stack under way.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Makes the stack, or finds that it stands as wished; gives its outputs.
pub(crate) async fn deploy(
    client: &Client,
    name: &str,
    template: &str,
    parameters: &[(String, String)],
    phases: &Phases,
) -> Result<BTreeMap<String, String>> {
    let mut request: Vec<(String, String)> = vec![
        ("StackName".into(), name.into()),
        ("TemplateBody".into(), template.into()),
        ("Capabilities.member.1".into(), "CAPABILITY_NAMED_IAM".into()),
    ];
    for (i, (key, value)) in parameters.iter().enumerate() {
        request.push((format!("Parameters.member.{}.ParameterKey", i + 1), key.clone()));
        request.push((format!("Parameters.member.{}.ParameterValue", i + 1), value.clone()));
    }
    match describe(client, name).await? {
        None => drop(client.query("cloudformation", "CreateStack", &request).await?),
        Some(stack) => match stack.text_of("StackStatus") {
            "CREATE_COMPLETE" => update(client, name, &request).await?,
            "CREATE_IN_PROGRESS" => {}
            "ROLLBACK_COMPLETE" | "CREATE_FAILED" | "DELETE_FAILED" | "ROLLBACK_FAILED" => {
                remove(client, name, phases).await?;
                client.query("cloudformation", "CreateStack", &request).await?;
            }
            "DELETE_IN_PROGRESS" => {
                wait_until_gone(client, name, phases).await?;
                client.query("cloudformation", "CreateStack", &request).await?;
            }
            other => bail!("the stack {name} is {other}; nothing can be done to it now"),
        },
    }
    let body: serde_json::Value = serde_json::from_str(template)?;
    let all = body["Resources"].as_object().map_or(0, serde_json::Map::len);
    wait_until_made(client, name, all, phases).await
}

/// A stack that stands already: the same wish is done, another one is refused by the API.
async fn update(client: &Client, name: &str, request: &[(String, String)]) -> Result<()> {
    match client.query("cloudformation", "UpdateStack", request).await {
        Err(error) if is_code(&error, "ValidationError") && error.to_string().contains("No updates") => {
            Ok(())
        }
        Err(error) => {
            Err(error
                .context(format!(
                    "the stack {name} stands, and what is asked now differs from it (a new image, another value); stacks \
                     cannot be updated here yet. `escale down` and `escale up` make it anew: a snapshot of the database \
                     is kept, the buckets are emptied. An image alone is rolled out with `escale aws ecs \
                     register-task-definition` and `update-service`"
                )))
        }
        Ok(_) => Ok(()),
    }
}

/// Deletes a stack and waits until nothing of it is left. One that is not there is fine.
pub(crate) async fn remove(client: &Client, name: &str, phases: &Phases) -> Result<()> {
    if describe(client, name).await?.is_none() {
        return Ok(());
    }
    client.query("cloudformation", "DeleteStack", &[("StackName".into(), name.into())]).await?;
    wait_until_gone(client, name, phases).await
}

async fn wait_until_made(
    client: &Client,
    name: &str,
    all: usize,
    phases: &Phases,
) -> Result<BTreeMap<String, String>> {
    let mut reports = Reports::default();
    loop {
        let Some(stack) = describe(client, name).await? else { bail!("the stack {name} has vanished") };
        match stack.text_of("StackStatus") {
            "CREATE_COMPLETE" => {
                let outputs = stack.list("Outputs").iter();
                return Ok(outputs
                    .map(|o| (o.text_of("OutputKey").to_owned(), o.text_of("OutputValue").to_owned()))
                    .collect());
            }
            "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED" | "DELETE_COMPLETE" => {
                let why = failures(client, name).await?;
                bail!("the stack {name} could not be created:\n{why}{}", reports.beside(&why));
            }
            _ => {
                let resources = resources(client, name).await?;
                for line in reports.news(&resources) {
                    phases.line(&line);
                }
                phases.tell(waiting_for(&resources, all));
            }
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// What resources under way reported of a failure: by logical id, the last report. Each is printed once, as soon as it is there: until
/// a service has failed for good, minutes may pass, and without a deployment circuit breaker it never does.
#[derive(Default)]
struct Reports {
    last: BTreeMap<String, String>,
    printed: BTreeSet<(String, String)>,
}

impl Reports {
    /// The lines to print now.
    fn news(&mut self, resources: &[Xml]) -> Vec<String> {
        let mut lines = Vec::new();
        for resource in resources {
            let id = resource.text_of("LogicalResourceId").to_owned();
            let Some(what) = resource.text_of("ResourceStatusReason").strip_prefix(Readiness::FAILING) else {
                continue;
            };
            self.last.insert(id.clone(), what.to_owned());
            if self.printed.insert((id.clone(), what.to_owned())) {
                lines.push(format!("  {id}: {what}"));
            }
        }
        lines
    }

    /// For the error at the end: the last reports of resources of which it says nothing.
    fn beside(&self, told: &str) -> String {
        let missing = self.last.iter().filter(|(id, _)| !told.contains(&format!("  {id}: ")));
        missing.map(|(id, what)| format!("\n  {id}: {what}")).collect()
    }
}

async fn wait_until_gone(client: &Client, name: &str, phases: &Phases) -> Result<()> {
    loop {
        let Some(stack) = describe(client, name).await? else { return Ok(()) };
        match stack.text_of("StackStatus") {
            "DELETE_COMPLETE" => return Ok(()),
            "DELETE_FAILED" => {
                let why = failures(client, name).await?;
                bail!(
                    "the stack {name} could not be deleted:\n{why}\nwhat is left of it may be held by something of your \
                     own in it (a task, a record): remove that, and say it again"
                )
            }
            _ => phases.tell(waiting_for(&resources(client, name).await?, 0)),
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

pub(crate) async fn describe(client: &Client, name: &str) -> Result<Option<Xml>> {
    match client.query("cloudformation", "DescribeStacks", &[("StackName".into(), name.into())]).await {
        Ok(found) => Ok(found.list("Stacks").first().cloned()),
        Err(error) if is_code(&error, "ValidationError") => Ok(None),
        Err(error) => Err(error),
    }
}

async fn resources(client: &Client, name: &str) -> Result<Vec<Xml>> {
    let request = [("StackName".into(), name.into())];
    match client.query("cloudformation", "DescribeStackResources", &request).await {
        // Its deletion ended since the last look; the next one says so.
        Err(error) if is_code(&error, "ValidationError") => Ok(Vec::new()),
        found => Ok(found?.list("StackResources").to_vec()),
    }
}

/// `41 of 73, waiting for DbInstance (the standby catches up)`. `all` are those of the template; a resource is in the stack only
/// once it was begun.
fn waiting_for(resources: &[Xml], all: usize) -> String {
    let done = resources.iter().filter(|r| r.text_of("ResourceStatus").ends_with("_COMPLETE")).count();
    let open: Vec<String> = resources
        .iter()
        .filter(|r| r.text_of("ResourceStatus").ends_with("_IN_PROGRESS"))
        .map(|r| match r.text_of("ResourceStatusReason") {
            "" | "Resource creation Initiated" => r.text_of("LogicalResourceId").to_owned(),
            why => format!("{} ({why})", r.text_of("LogicalResourceId")),
        })
        .collect();
    format!("{done} of {}, waiting for {}", all.max(resources.len()), open.join(", "))
}

/// The resources that failed, each with its reason, first failure first.
async fn failures(client: &Client, name: &str) -> Result<String> {
    let request = [("StackName".into(), name.into())];
    let events =
        client.query_all("cloudformation", "DescribeStackEvents", &request, "StackEvents", "NextToken").await;
    let mut failed = match events {
        // Deleted since, by somebody else.
        Err(error) if is_code(&error, "ValidationError") => return Ok("  its events are gone".into()),
        events => events?,
    };
    // Newest first, and of this attempt alone: each begins with an event of the stack itself.
    let began = |e: &Xml| {
        e.text_of("ResourceType") == "AWS::CloudFormation::Stack"
            && matches!(e.text_of("ResourceStatus"), "CREATE_IN_PROGRESS" | "DELETE_IN_PROGRESS")
    };
    failed.truncate(failed.iter().position(began).unwrap_or(failed.len()));
    failed.retain(|e| {
        e.text_of("ResourceStatus").ends_with("_FAILED")
            && e.text_of("ResourceStatusReason") != "Resource creation cancelled"
    });
    let lines: Vec<String> = failed
        .iter()
        .rev()
        .map(|e| {
            let reason = plain(e.text_of("ResourceStatusReason")).replace('\n', "\n    ");
            format!("  {}: {reason}", e.text_of("LogicalResourceId"))
        })
        .collect();
    Ok(lines.join("\n"))
}

/// A reason without what CloudFormation puts around the words of a service.
fn plain(reason: &str) -> &str {
    let inner = reason.strip_prefix("Resource handler returned message: \"");
    inner.and_then(|r| r.rsplit_once("\" (HandlerErrorCode: ")).map_or(reason, |(words, _)| words)
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn reasons_are_told_plainly() {
        for (reason, told) in [
            ("Resource creation failed", "Resource creation failed"),
            (
                "Resource handler returned message: \"a \"b\"\nc\" (HandlerErrorCode: NotStabilized)",
                "a \"b\"\nc",
            ),
            ("Resource handler returned message: \"cut", "Resource handler returned message: \"cut"),
        ] {
            assert_eq!(plain(reason), told);
        }
    }
}
