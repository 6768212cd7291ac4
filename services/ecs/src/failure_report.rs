//! Reports to a person why a task failed: reason, exit codes, last lines. Derived from observations, never stored.

use crate::status::Known;
use escale_store::{Image, Row};
use escale_tables::ecs::{ContainerState, DeploymentId, Service, Task, TaskOutput};
use std::{fmt::Write, sync::Arc};

/// Lines kept per container: enough for the end of a stack trace, and short enough for the text of an event.
pub(crate) const LINES: usize = 10;
/// Characters kept per line.
const LINE_CHARS: usize = 300;

/// A line as text that is safe in a terminal and in an XML document.
pub(crate) fn readable(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let mut printable = text.chars().filter(|c| !c.is_control() || *c == '\t');
    let mut kept: String = printable.by_ref().take(LINE_CHARS).collect();
    if printable.next().is_some() {
        kept.push('…');
    }
    kept
}

/// Why the last task of a failed deployment failed. `Err` names the condition that must be met before that is known.
pub(crate) fn of_deployment(
    image: &Image,
    service: &Service,
    deployment: &DeploymentId,
) -> Result<String, String> {
    let key = service.key();
    let failed =
        |t: &Arc<Task>| t.service.as_ref().is_some_and(|s| s.key == key && s.deployment == *deployment);
    let tasks = image.scan::<Task>().filter(failed).map(|t| Known::of(image, t));
    // A task that was stopped on purpose, such as by a newer deployment, did not fail.
    let failed = tasks.filter(|k| k.is_stopping() && !k.was_stopped_on_purpose()).collect::<Vec<_>>();
    let last = failed.iter().filter(|k| k.progress.stopped.is_some()).max_by_key(|k| k.progress.stopped);
    match last {
        Some(known) => Ok(format!(" {}", of_task(image, service, known))),
        None if failed.is_empty() => Ok(String::new()),
        None => Err(format!("the failed tasks of {key} are stopping")),
    }
}

/// `Task 0f…: Essential container in task exited. Container web: exit code 3. Its last output:` and the lines.
fn of_task(image: &Image, service: &Service, known: &Known) -> String {
    let reason = known.stop().map_or_else(|| "the reason is unknown".to_owned(), |s| s.1);
    let mut report = format!("Task {}: {}.", known.task.id, reason.trim_end_matches('.'));
    if let Some(check) = &known.progress.check {
        let _ = write!(report, " Its last check: {check}.");
        if let Some(grace) = service.grace_secs.filter(|grace| *grace > 0) {
            let _ = write!(
                report,
                " Checks count from {grace} s after the start (HealthCheckGracePeriodSeconds)."
            );
        }
    }
    let (Some(definition), Some(seen)) = (&known.definition, &known.seen) else { return report };
    let output = image.get::<TaskOutput>(&known.task.id);
    let ended =
        definition.containers.iter().filter_map(|c| match &seen.containers.get(c.name.as_str())?.state {
            ContainerState::Ended { code, reason } => Some((c, *code, reason.as_deref())),
            _ => None,
        });
    let ended: Vec<_> = ended.collect();
    // Successful containers are reported only if no container failed: an essential one that exits with 0 stops the task too.
    let has_failed =
        |code: Option<i32>, reason: Option<&str>| code.is_some_and(|c| c != 0) || reason.is_some();
    let any = ended.iter().any(|(_, code, reason)| has_failed(*code, *reason));
    for (c, code, reason) in ended.iter().filter(|(_, code, reason)| !any || has_failed(*code, *reason)) {
        let lines = output.as_ref().and_then(|o| o.lines.get(c.name.as_str())).filter(|l| !l.is_empty());
        // The exit code only reflects the signal by which ECS stopped the container. It does not explain the failure.
        if known.task.stop.is_some() {
            if let Some(lines) = lines {
                let _ = write!(report, " Last output of container {}:\n{}\n", c.name, lines.join("\n"));
            }
            continue;
        }
        let code = code.map_or_else(|| "no exit code".to_owned(), |c| format!("exit code {c}"));
        let reason = reason.map(|r| format!(" ({r})")).unwrap_or_default();
        let _ = write!(report, " Container {}: {code}{reason}.", c.name);
        match lines {
            Some(lines) => {
                let _ = write!(report, " Its last output:\n{}\n", lines.join("\n"));
            }
            None => report.push_str(" It wrote no output."),
        }
    }
    report.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_control_characters_and_cuts_long_lines() {
        for (line, expected) in [
            (b"plain\twords".as_slice(), "plain\twords".to_owned()),
            (b"\x1b[31mred\x1b[0m\r", "[31mred[0m".into()),
            (b"caf\xe9", "caf\u{fffd}".into()),
            (&[b'x'; LINE_CHARS], "x".repeat(LINE_CHARS)),
            (&[b'x'; LINE_CHARS + 1], "x".repeat(LINE_CHARS) + "…"),
        ] {
            assert_eq!(readable(line), expected);
        }
    }
}
