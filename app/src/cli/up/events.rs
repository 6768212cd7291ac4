//! The events of a stack as progress: one line for each resource that is complete or has failed.
//!
//! On this machine a deployment takes seconds, and the progress line is enough. On AWS it takes minutes, often without a terminal.

use super::phases::Phases;
use crate::cli::client::{Client, is_code};
use anyhow::Result;
use escale_wire::Element;

/// Events after a moment.
pub(super) struct Events {
    /// The newest event that was read; empty if there was none.
    last: String,
}

impl Events {
    /// Events from now on.
    pub(super) async fn from_now(client: &Client, stack: &str) -> Result<Events> {
        let mut events = Events { last: String::new() };
        if client.as_remote().is_some() {
            events.read(client, stack).await?;
        }
        Ok(events)
    }

    /// Prints the events since the last call. Nothing is printed for the cloud of this machine.
    pub(super) async fn print_new(&mut self, client: &Client, stack: &str, phases: &Phases) -> Result<()> {
        if client.as_remote().is_none() {
            return Ok(());
        }
        for event in self.read(client, stack).await?.iter().rev() {
            if let Some(line) = line(event) {
                phases.line(&line);
            }
        }
        Ok(())
    }

    /// The events since the last call, newest first.
    async fn read(&mut self, client: &Client, stack: &str) -> Result<Vec<Element>> {
        let (mut all, mut request) = (Vec::new(), vec![("StackName".to_owned(), stack.to_owned())]);
        let newest = loop {
            let page = match client.query("cloudformation", "DescribeStackEvents", &request).await {
                // The stack was deleted; the caller finds that out.
                Err(error) if is_code(&error, "ValidationError") => break None,
                page => page?,
            };
            let events = page.list("StackEvents");
            let known = events.iter().position(|event| event.text_of("EventId") == self.last);
            all.extend(events[..known.unwrap_or(events.len())].iter().cloned());
            match page.text_of("NextToken") {
                // Events before the first call are of earlier deployments.
                next if known.is_none() && !next.is_empty() && !self.last.is_empty() => {
                    request.truncate(1);
                    request.push(("NextToken".to_owned(), next.to_owned()));
                }
                _ => break all.first().map(|event: &Element| event.text_of("EventId").to_owned()),
            }
        };
        if let Some(newest) = newest {
            self.last = newest;
        }
        Ok(all)
    }
}

fn line(event: &Element) -> Option<String> {
    let status = event.text_of("ResourceStatus");
    let (is_stack, reason) = (
        event.text_of("ResourceType") == "AWS::CloudFormation::Stack",
        event.text_of("ResourceStatusReason"),
    );
    let is_shown = status.ends_with("_COMPLETE")
        || status.ends_with("_FAILED")
        || (is_stack && status.contains("ROLLBACK"));
    let because =
        if status.ends_with("_FAILED") || (is_stack && status.contains("ROLLBACK")) { reason } else { "" };
    let because =
        if because.is_empty() { String::new() } else { format!(": {}", because.replace('\n', " ")) };
    is_shown.then(|| format!("  {status:<28} {}{because}", event.text_of("LogicalResourceId")))
}

#[cfg(test)]
mod tests {
    use super::line;
    use escale_wire::Element;

    #[test]
    fn only_ends_and_rollbacks_are_lines() {
        let shown = |kind: &str, status: &str, reason: &str| {
            let text = format!(
                "<member><LogicalResourceId>X</LogicalResourceId><ResourceType>{kind}</ResourceType><ResourceStatus>{status}\
                 </ResourceStatus><ResourceStatusReason>{reason}</ResourceStatusReason></member>"
            );
            line(&Element::parse(text.as_bytes()).unwrap()).unwrap_or_default()
        };
        let stack = "AWS::CloudFormation::Stack";
        assert_eq!(shown("AWS::EC2::VPC", "CREATE_IN_PROGRESS", ""), "");
        assert_eq!(shown("AWS::EC2::VPC", "CREATE_COMPLETE", "fine"), "  CREATE_COMPLETE              X");
        assert_eq!(
            shown("AWS::EC2::VPC", "CREATE_FAILED", "a limit"),
            "  CREATE_FAILED                X: a limit"
        );
        assert_eq!(shown(stack, "ROLLBACK_IN_PROGRESS", "[X]"), "  ROLLBACK_IN_PROGRESS         X: [X]");
    }
}
