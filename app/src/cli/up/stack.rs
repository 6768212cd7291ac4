//! Deploys a stack and follows it until it is complete or has failed.

use super::phases::Phases;
use crate::cli::client::{Client, is_code};
use anyhow::{Result, bail};
use escale_service::Readiness;
use escale_wire::Element;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Pause between two requests for the state of a stack in progress.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Creates the stack, or checks that it exists with this template and these parameters. Returns its outputs.
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
            // An interrupted `up` left it in progress: this one waits for it.
            "CREATE_IN_PROGRESS" => {}
            "ROLLBACK_COMPLETE" | "CREATE_FAILED" | "DELETE_FAILED" | "ROLLBACK_FAILED" => {
                remove(client, name, phases).await?;
                client.query("cloudformation", "CreateStack", &request).await?;
            }
            "DELETE_IN_PROGRESS" => {
                wait_until_gone(client, name, phases).await?;
                client.query("cloudformation", "CreateStack", &request).await?;
            }
            other => bail!(
                "the stack {name} is in the status {other}, in which it cannot be deployed. Wait until the operation ends, or \
                 remove the stack with `escale aws cloudformation delete-stack --stack-name {name}`"
            ),
        },
    }
    let body: serde_json::Value = serde_json::from_str(template)?;
    let all = body["Resources"].as_object().map_or(0, serde_json::Map::len);
    wait_until_made(client, name, all, phases).await
}

/// Deploys over a stack that exists. An identical request is done already; the API refuses any other one, because stack
/// updates are not supported yet.
async fn update(client: &Client, name: &str, request: &[(String, String)]) -> Result<()> {
    match client.query("cloudformation", "UpdateStack", request).await {
        Err(error) if is_code(&error, "ValidationError") && error.to_string().contains("No updates") => {
            Ok(())
        }
        Err(error) => {
            Err(error
                .context(format!(
                    "the stack {name} exists and differs from the manifest (a new image or another value), and stack \
                     updates are not supported yet. Run `escale down`, then `escale up` to create it again: a snapshot of \
                     the database is kept, the buckets are emptied. To roll out a new image only, use `escale aws ecs \
                     register-task-definition` and `escale aws ecs update-service`"
                )))
        }
        Ok(_) => Ok(()),
    }
}

/// Deletes a stack and waits until it is gone. A stack that does not exist is no error.
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
        let Some(stack) = describe(client, name).await? else {
            bail!(
                "the stack {name} was deleted by another client while it was being created. Run `escale up` again"
            )
        };
        match stack.text_of("StackStatus") {
            "CREATE_COMPLETE" => {
                let outputs = stack.list("Outputs").iter();
                return Ok(outputs
                    .map(|o| (o.text_of("OutputKey").to_owned(), o.text_of("OutputValue").to_owned()))
                    .collect());
            }
            "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED" | "DELETE_COMPLETE" => {
                let why = failures(client, name).await?;
                bail!("the stack {name} could not be created:\n{why}{}", reports.missing_in(&why));
            }
            _ => {
                let resources = resources(client, name).await?;
                for line in reports.new_lines(&resources) {
                    phases.line(&line);
                }
                phases.set_message(waiting_for(&resources, all));
            }
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Failures that resources in progress report, by logical id. Each is printed once and at once, because minutes may pass until
/// a service has failed permanently, and without a deployment circuit breaker it never does.
#[derive(Default)]
struct Reports {
    last: BTreeMap<String, String>,
    printed: BTreeSet<(String, String)>,
}

impl Reports {
    /// The lines that were not printed yet.
    fn new_lines(&mut self, resources: &[Element]) -> Vec<String> {
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

    /// For the final error: the last reports of resources that it does not name.
    fn missing_in(&self, error: &str) -> String {
        let missing = self.last.iter().filter(|(id, _)| !error.contains(&format!("  {id}: ")));
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
                    "the stack {name} could not be deleted:\n{why}\nResources that you created in it by hand, such as a task \
                     or a record, may still use it. Remove these and run the command again"
                )
            }
            _ => phases.set_message(waiting_for(&resources(client, name).await?, 0)),
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

pub(crate) async fn describe(client: &Client, name: &str) -> Result<Option<Element>> {
    match client.query("cloudformation", "DescribeStacks", &[("StackName".into(), name.into())]).await {
        Ok(found) => Ok(found.list("Stacks").first().cloned()),
        Err(error) if is_code(&error, "ValidationError") => Ok(None),
        Err(error) => Err(error),
    }
}

async fn resources(client: &Client, name: &str) -> Result<Vec<Element>> {
    let request = [("StackName".into(), name.into())];
    match client.query("cloudformation", "DescribeStackResources", &request).await {
        // The stack was deleted since the last request; the caller's next `describe` finds that out.
        Err(error) if is_code(&error, "ValidationError") => Ok(Vec::new()),
        found => Ok(found?.list("StackResources").to_vec()),
    }
}

/// The progress line: `41 of 73, waiting for DbInstance (the standby catches up)`. `all` counts the template's resources,
/// because the stack lists a resource only once its creation has begun.
fn waiting_for(resources: &[Element], all: usize) -> String {
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
        // Another client has deleted the stack since.
        Err(error) if is_code(&error, "ValidationError") => {
            return Ok("  its events are not available, because the stack was deleted".into());
        }
        events => events?,
    };
    // Only the events of this attempt: events are listed newest first, and each attempt begins with an event of the stack
    // itself.
    let began = |e: &Element| {
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

/// A reason without the text that CloudFormation puts around a service's message.
fn plain(reason: &str) -> &str {
    let inner = reason.strip_prefix("Resource handler returned message: \"");
    inner.and_then(|r| r.rsplit_once("\" (HandlerErrorCode: ")).map_or(reason, |(words, _)| words)
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn strips_the_text_around_a_service_message() {
        for (reason, expected) in [
            ("Resource creation failed", "Resource creation failed"),
            (
                "Resource handler returned message: \"a \"b\"\nc\" (HandlerErrorCode: NotStabilized)",
                "a \"b\"\nc",
            ),
            ("Resource handler returned message: \"cut", "Resource handler returned message: \"cut"),
        ] {
            assert_eq!(plain(reason), expected);
        }
    }
}
