//! Deploys a stack and follows it until it is complete or has failed.

use super::{events::Events, phases::Phases, template_bucket::Sent};
use crate::cli::{
    changes::Changes,
    client::{Client, is_code},
};
use anyhow::{Context, Result, bail};
use escale_service::Readiness;
use escale_wire::Element;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Pause between two requests for the state of a stack in progress.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What a deployment reached.
pub(crate) struct Deployment {
    pub(crate) outputs: BTreeMap<String, String>,
    /// Empty if the stack was deployed like this before.
    pub(crate) changes: Changes,
}

/// The content of a stack.
pub(crate) struct Wanted<'a> {
    pub(crate) name: &'a str,
    pub(crate) template: &'a str,
    pub(crate) parameters: Vec<Given>,
    /// The beginning of the change set's name: [`RELEASE`] or [`HOLD`].
    pub(crate) prefix: &'static str,
}

/// The value of a parameter.
#[derive(Clone)]
pub(crate) enum Given {
    Value(String, String),
    /// The value that the stack has.
    Previous(String),
}

impl Given {
    pub(super) fn key(&self) -> &str {
        match self {
            Given::Value(key, _) | Given::Previous(key) => key,
        }
    }
}

impl Wanted<'_> {
    fn request(&self, change_set: &str, kind: &str, template: &Sent) -> Vec<(String, String)> {
        let mut request: Vec<(String, String)> = vec![
            ("StackName".into(), self.name.into()),
            ("ChangeSetName".into(), change_set.into()),
            ("ChangeSetType".into(), kind.into()),
            template.parameter(),
            ("Capabilities.member.1".into(), "CAPABILITY_NAMED_IAM".into()),
        ];
        for (i, given) in self.parameters.iter().enumerate() {
            let place = format!("Parameters.member.{}", i + 1);
            let (key, member, value) = match given {
                Given::Value(key, value) => (key, "ParameterValue", value.clone()),
                Given::Previous(key) => (key, "UsePreviousValue", "true".into()),
            };
            request.push((format!("{place}.ParameterKey"), key.clone()));
            request.push((format!("{place}.{member}"), value));
        }
        request
    }
}

/// A change set that was created and not executed yet.
pub(crate) struct Prepared {
    name: String,
    stack: String,
    pub(crate) changes: Changes,
}

/// Makes a change set of the stack's deployment. `None` if the stack has this content already.
pub(crate) async fn prepare(
    client: &Client,
    wanted: &Wanted<'_>,
    phases: &Phases,
) -> Result<Option<Prepared>> {
    let kind = match settle(client, wanted.name, phases).await? {
        None => "CREATE",
        Some(_) => "UPDATE",
    };
    let name = format!("{}{}", wanted.prefix, escale_base::ids::random_hex(12));
    let named = [
        ("StackName".to_owned(), wanted.name.to_owned()),
        ("ChangeSetName".to_owned(), name.clone()),
        ("IncludePropertyValues".to_owned(), "true".to_owned()),
    ];
    let template = Sent::of(client, wanted.name, wanted.template).await?;
    let described = async {
        client.query("cloudformation", "CreateChangeSet", &wanted.request(&name, kind, &template)).await?;
        described(client, &named).await
    };
    let described = described.await;
    let removed = template.remove(client).await;
    let described = described?;
    removed.context("the uploaded template cannot be deleted")?;
    let changes = Changes::of_pages(&described);
    let prepared = Prepared { name, stack: wanted.name.to_owned(), changes };
    let last = described.last().context("DescribeChangeSet has no answer")?;
    if last.text_of("Status") == "FAILED" {
        let why = last.text_of("StatusReason");
        prepared.discard(client).await?;
        // Source: the two texts that the aws CLI looks for in `cloudformation deploy`
        if why.contains("didn't contain changes") || why.contains("No updates are to be performed") {
            return Ok(None);
        }
        bail!("the changes of the stack {} cannot be made: {why}", wanted.name);
    }
    Ok(Some(prepared))
}

/// All pages of a change set once it is complete or has failed.
async fn described(client: &Client, named: &[(String, String)]) -> Result<Vec<Element>> {
    let (mut pages, mut request) = (Vec::new(), named.to_vec());
    loop {
        let page = client.query("cloudformation", "DescribeChangeSet", &request).await?;
        if page.text_of("Status").starts_with("CREATE_") && page.text_of("Status") != "CREATE_COMPLETE" {
            client.pause(LOOK_AGAIN).await;
            continue;
        }
        let next = page.text_of("NextToken").to_owned();
        pages.push(page);
        if next.is_empty() {
            return Ok(pages);
        }
        request.truncate(named.len());
        request.push(("NextToken".to_owned(), next));
    }
}

impl Prepared {
    fn named(&self) -> [(String, String); 2] {
        [("StackName".into(), self.stack.clone()), ("ChangeSetName".into(), self.name.clone())]
    }

    pub(crate) async fn discard(&self, client: &Client) -> Result<()> {
        client.query("cloudformation", "DeleteChangeSet", &self.named()).await?;
        // A stack that has only this change set would be left in REVIEW_IN_PROGRESS.
        if let Some(stack) = describe(client, &self.stack).await?
            && stack.text_of("StackStatus") == "REVIEW_IN_PROGRESS"
        {
            client
                .query("cloudformation", "DeleteStack", &[("StackName".into(), self.stack.clone())])
                .await?;
        }
        Ok(())
    }

    /// Makes the changes and waits for their end. `all` counts the template's resources.
    pub(crate) async fn execute(self, client: &Client, all: usize, phases: &Phases) -> Result<Deployment> {
        let mut request = self.named().to_vec();
        // `escale history` finds the releases by the tokens of their events.
        request.push(("ClientRequestToken".into(), self.name.clone()));
        let events = Events::from_now(client, &self.stack).await?;
        client.query("cloudformation", "ExecuteChangeSet", &request).await?;
        let outputs = wait_until_made(client, &self.stack, (all, events), &self.changes, phases).await?;
        Ok(Deployment { outputs, changes: self.changes })
    }
}

/// The prefix of the names of this program's change sets.
pub(crate) const RELEASE: &str = "release-";
/// The prefix of change sets that come before a release: they create what its release commands need.
pub(crate) const HOLD: &str = "hold-";

/// Deploys the stack. `agree` decides about the changes before they are made.
pub(crate) async fn deploy(
    client: &Client,
    wanted: &Wanted<'_>,
    agree: impl AsyncFnOnce(&Changes) -> Result<()>,
    phases: &Phases,
) -> Result<Deployment> {
    let Some(prepared) = prepare(client, wanted, phases).await? else {
        let stack = describe(client, wanted.name).await?;
        let outputs = stack.as_ref().map(outputs).unwrap_or_default();
        return Ok(Deployment { outputs, changes: Changes::default() });
    };
    execute(client, prepared, wanted.template, agree, phases).await
}

/// Makes prepared changes, if `agree` agrees.
pub(super) async fn execute(
    client: &Client,
    prepared: Prepared,
    template: &str,
    agree: impl AsyncFnOnce(&Changes) -> Result<()>,
    phases: &Phases,
) -> Result<Deployment> {
    let body: serde_json::Value = serde_json::from_str(template)?;
    let all = body["Resources"].as_object().map_or(0, serde_json::Map::len);
    if let Err(refusal) = agree(&prepared.changes).await {
        prepared.discard(client).await?;
        return Err(refusal);
    }
    prepared.execute(client, all, phases).await
}

/// Brings the stack into a state from which it can be deployed. `None` if it does not exist.
pub(super) async fn settle(client: &Client, name: &str, phases: &Phases) -> Result<Option<Element>> {
    loop {
        let Some(stack) = describe(client, name).await? else { return Ok(None) };
        match stack.text_of("StackStatus") {
            "REVIEW_IN_PROGRESS" => return Ok(None),
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE" | "UPDATE_FAILED" => {
                return Ok(Some(stack));
            }
            "ROLLBACK_COMPLETE" | "CREATE_FAILED" | "DELETE_FAILED" | "ROLLBACK_FAILED" => {
                remove(client, name, phases).await?;
                return Ok(None);
            }
            "UPDATE_ROLLBACK_FAILED" => {
                let why = failures(client, name).await?;
                bail!(
                    "the last update of the stack {name} could not be undone:\n{why}\nRemove the cause and run `{} \
                     cloudformation continue-update-rollback --stack-name {name}`, then run `{}` again",
                    if client.as_remote().is_some() { "aws" } else { "escale aws" },
                    client.verb(),
                )
            }
            // An interrupted command left it in progress, or another client works on it.
            _ => phases.set_message(waiting_for(&resources(client, name).await?, 0)),
        }
        client.pause(LOOK_AGAIN).await;
    }
}

pub(super) fn outputs(stack: &Element) -> BTreeMap<String, String> {
    let outputs = stack.list("Outputs").iter();
    outputs.map(|o| (o.text_of("OutputKey").to_owned(), o.text_of("OutputValue").to_owned())).collect()
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
    (all, mut events): (usize, Events),
    changes: &Changes,
    phases: &Phases,
) -> Result<BTreeMap<String, String>> {
    let mut reports = Reports::default();
    loop {
        let Some(stack) = describe(client, name).await? else {
            let again = client.verb();
            bail!(
                "the stack {name} was deleted by another client while it was being created. Run `{again}` again"
            )
        };
        // After the status: all events of a stack at its end are there.
        events.print_new(client, name, phases).await?;
        match stack.text_of("StackStatus") {
            "CREATE_COMPLETE" => return Ok(outputs(&stack)),
            "UPDATE_COMPLETE" => {
                // CloudFormation deletes only empty buckets. The user has agreed to the loss of what is in the others.
                for bucket in changes.deleted_buckets() {
                    super::buckets::delete(client, bucket).await?;
                }
                return Ok(outputs(&stack));
            }
            "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED" | "DELETE_COMPLETE" => {
                let why = failures(client, name).await?;
                bail!("the stack {name} could not be created:\n{why}{}", reports.missing_in(&why));
            }
            "UPDATE_ROLLBACK_COMPLETE" | "UPDATE_ROLLBACK_FAILED" | "UPDATE_FAILED" => {
                let why = failures(client, name).await?;
                let outcome = match stack.text_of("StackStatus") {
                    "UPDATE_ROLLBACK_COMPLETE" => "was returned to the state before",
                    _ => "could not be returned to the state before",
                };
                bail!(
                    "the stack {name} could not be updated and {outcome}:\n{why}{}",
                    reports.missing_in(&why)
                );
            }
            _ => {
                let resources = resources(client, name).await?;
                for line in reports.new_lines(&resources) {
                    phases.line(&line);
                }
                phases.set_message(waiting_for(&resources, all));
            }
        }
        client.pause(LOOK_AGAIN).await;
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
        client.pause(LOOK_AGAIN).await;
    }
}

pub(crate) async fn describe(client: &Client, name: &str) -> Result<Option<Element>> {
    match client.query("cloudformation", "DescribeStacks", &[("StackName".into(), name.into())]).await {
        Ok(found) => Ok(found.list("Stacks").first().cloned()),
        Err(error) if is_code(&error, "ValidationError") => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) async fn resources(client: &Client, name: &str) -> Result<Vec<Element>> {
    let request = [("StackName".into(), name.into())];
    // DescribeStackResources would return the first hundred only.
    let found = client
        .query_all("cloudformation", "ListStackResources", &request, "StackResourceSummaries", "NextToken")
        .await;
    match found {
        // The stack was deleted since the last request; the caller's next `describe` finds that out.
        Err(error) if is_code(&error, "ValidationError") => Ok(Vec::new()),
        found => found,
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
            && matches!(
                e.text_of("ResourceStatus"),
                "CREATE_IN_PROGRESS" | "DELETE_IN_PROGRESS" | "UPDATE_IN_PROGRESS"
            )
    };
    failed.truncate(failed.iter().position(began).unwrap_or(failed.len()));
    failed.retain(|e| {
        e.text_of("ResourceStatus").ends_with("_FAILED")
            && !e.text_of("ResourceStatusReason").ends_with(" cancelled")
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
