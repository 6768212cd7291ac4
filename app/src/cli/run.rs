//! `escale run`: a one-off task with the task definition, the network and the roles of a service.

use super::{
    Output,
    application::Application,
    client::{Client, is_code},
    tasks::{self, STARTED_BY_RUN, Task},
};
use crate::{home::Home, settings::Settings};
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};
use std::{process::ExitCode, time::Duration};
use tokio::signal::unix::{Signal, SignalKind, signal};

#[derive(Args)]
pub(crate) struct Run {
    /// The service whose task definition, network configuration and roles the task gets.
    service: String,
    /// The container that runs the command and whose exit code is returned. The default is the one that is named like the service.
    #[arg(long)]
    container: Option<String>,
    /// The application, if several are deployed.
    #[arg(long)]
    app: Option<String>,
    /// The command and its arguments, in place of the image's command; an entry point of the image stays. The default is the
    /// service's own command.
    #[arg(last = true)]
    command: Vec<String>,
}

/// Pause between two requests for the task's state and its log.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

pub(crate) async fn run(home: &Home, out: &Output, run: &Run) -> Result<ExitCode> {
    let application = Application::find(home, run.app.as_deref())?;
    let client = Client::new(home, &Settings::of(home)?);
    // From the beginning: a Ctrl-C while the task is created must not leave it running.
    let mut stops =
        Stops { interrupted: signal(SignalKind::interrupt())?, terminated: signal(SignalKind::terminate())? };
    let service = tasks::service(&client, &application, &run.service).await?;
    let asked = json!({"taskDefinition": service["taskDefinition"]});
    let definition = client.json("ecs", "DescribeTaskDefinition", asked).await?["taskDefinition"].take();
    let container = container(run, &definition)?;
    let task = start(&client, &application.stack, &service, run, &container).await?;
    let mut one_off = OneOff {
        logs: logs(&definition, &container, task.id()),
        stops_at: None,
        client: &client,
        cluster: &application.stack,
        container,
        out,
        task,
    };
    one_off.follow(&mut stops).await
}

/// The signals that stop the task.
struct Stops {
    interrupted: Signal,
    terminated: Signal,
}

impl Stops {
    /// Waits for the next one. Returns the exit code: as shells count, 128 plus the number of the signal.
    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupted.recv() => 128 + 2,
            _ = self.terminated.recv() => 128 + 15,
        }
    }
}

fn container(run: &Run, definition: &Value) -> Result<String> {
    let all = definition["containerDefinitions"].as_array().into_iter().flatten();
    let names: Vec<&str> = all.filter_map(|c| c["name"].as_str()).collect();
    let list = names.join(", ");
    let wanted = run.container.as_deref().unwrap_or(&run.service);
    match (names.contains(&wanted), names.as_slice(), &run.container) {
        (true, _, _) => Ok(wanted.to_owned()),
        (false, [only], None) => Ok((*only).to_owned()),
        (false, _, Some(named)) => {
            bail!("the task definition has no container '{named}'. Its containers are: {list}")
        }
        (false, _, None) => {
            bail!("the task definition has several containers. Name one of them with --container: {list}")
        }
    }
}

async fn start(client: &Client, cluster: &str, service: &Value, run: &Run, container: &str) -> Result<Task> {
    let mut input = json!({
        "cluster": cluster,
        "taskDefinition": service["taskDefinition"],
        "networkConfiguration": service["networkConfiguration"],
        "startedBy": format!("{STARTED_BY_RUN}{}", run.service),
    });
    for same in ["launchType", "capacityProviderStrategy", "platformVersion"] {
        let value = &service[same];
        if !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()) {
            input[same] = value.clone();
        }
    }
    if !run.command.is_empty() {
        input["overrides"] = json!({"containerOverrides": [{"name": container, "command": run.command}]});
    }
    let mut started = client.json("ecs", "RunTask", input).await?;
    match started["tasks"].as_array_mut().and_then(Vec::pop) {
        Some(task) => Ok(Task(task)),
        None => bail!("ECS started no task: {}", started["failures"]),
    }
}

/// The log of one container.
struct Log {
    container: String,
    /// Whether it is the container that runs the command.
    is_main: bool,
    group: String,
    stream: String,
    /// Where the next request continues.
    token: Option<String>,
}

/// The logs of a task's containers. A container without a log configuration has none.
fn logs(definition: &Value, main: &str, task: &str) -> Vec<Log> {
    let all = definition["containerDefinitions"].as_array().into_iter().flatten();
    let log = |c: &Value| {
        let (name, options) = (c["name"].as_str()?, &c["logConfiguration"]["options"]);
        let (group, prefix) =
            (options["awslogs-group"].as_str()?, options["awslogs-stream-prefix"].as_str()?);
        Some(Log {
            container: name.to_owned(),
            is_main: name == main,
            group: group.to_owned(),
            stream: format!("{prefix}/{name}/{task}"),
            token: None,
        })
    };
    all.filter_map(log).collect()
}

struct OneOff<'a> {
    client: &'a Client,
    cluster: &'a str,
    task: Task,
    container: String,
    logs: Vec<Log>,
    /// The exit code if the user stops the task.
    stops_at: Option<u8>,
    out: &'a Output,
}

impl OneOff<'_> {
    /// Prints the logs until the task has stopped.
    async fn follow(&mut self, stops: &mut Stops) -> Result<ExitCode> {
        if !self.logs.iter().any(|log| log.is_main) {
            eprintln!(
                "The container {} has no log configuration, so its output cannot be shown.",
                self.container
            );
        }
        loop {
            // The state first: a task is STOPPED only after its last lines are in its log.
            self.task = self.describe().await?;
            let is_over = self.task.0["lastStatus"] == "STOPPED";
            self.print_logs().await?;
            if is_over {
                return self.exit_code();
            }
            // The command is over, but other essential containers would keep the task running.
            if self.main()["lastStatus"] == "STOPPED" && self.task.0["desiredStatus"] != "STOPPED" {
                self.stop("The command of escale run has ended").await?;
            }
            tokio::select! {
                code = stops.next() => {
                    if self.stops_at.is_some() {
                        eprintln!("The task {} is still stopping.", self.task.id());
                        return Ok(ExitCode::from(code));
                    }
                    eprintln!("Stopping the task. Press Ctrl-C again to return without waiting for its end.");
                    self.stops_at = Some(code);
                    self.stop("Stopped by the user of escale run").await?;
                }
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    async fn describe(&self) -> Result<Task> {
        let input = json!({"cluster": self.cluster, "tasks": [self.task.id()]});
        let mut found = self.client.json("ecs", "DescribeTasks", input).await?;
        let task = found["tasks"].as_array_mut().and_then(Vec::pop);
        task.map(Task).with_context(|| format!("the task {} no longer exists", self.task.id()))
    }

    async fn stop(&self, reason: &str) -> Result<()> {
        let input = json!({"cluster": self.cluster, "task": self.task.id(), "reason": reason});
        self.client.json("ecs", "StopTask", input).await.map(drop)
    }

    /// The container that runs the command.
    fn main(&self) -> &Value {
        let mut all = self.task.0["containers"].as_array().into_iter().flatten();
        all.find(|c| c["name"] == self.container.as_str()).unwrap_or(&Value::Null)
    }

    async fn print_logs(&mut self) -> Result<()> {
        for log in &mut self.logs {
            loop {
                let mut input = json!({
                    "logGroupName": log.group, "logStreamName": log.stream, "startFromHead": true,
                });
                if let Some(token) = &log.token {
                    input["nextToken"] = token.as_str().into();
                }
                let found = match self.client.json("logs", "GetLogEvents", input).await {
                    // The stream is created when the task starts.
                    Err(error) if is_code(&error, "ResourceNotFoundException") => break,
                    found => found?,
                };
                let events = found["events"].as_array().map(Vec::as_slice).unwrap_or_default();
                for event in events {
                    print(self.out, log, event);
                }
                log.token = found["nextForwardToken"].as_str().map(str::to_owned);
                if events.is_empty() {
                    break;
                }
            }
        }
        Ok(())
    }

    fn exit_code(&self) -> Result<ExitCode> {
        if let Some(code) = self.stops_at {
            return Ok(ExitCode::from(code));
        }
        if let Some(code) = self.main()["exitCode"].as_i64() {
            return Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)));
        }
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let why = text(&self.task.0["stoppedReason"]).or_else(|| text(&self.main()["reason"]));
        let why = why.unwrap_or_else(|| "ECS reports no reason".to_owned());
        bail!("the task {} did not run its command to the end: {why}", self.task.id())
    }
}

/// Lines of the command go to standard output as they are, those of other containers to standard error with a name.
fn print(out: &Output, log: &Log, event: &Value) {
    let message = event["message"].as_str().unwrap_or_default();
    if out.json {
        let line = json!({"container": log.container, "timestamp": event["timestamp"], "message": message});
        super::print(&format!("{line}\n"));
    } else if log.is_main {
        super::print(&format!("{message}\n"));
    } else {
        eprintln!("{}: {message}", log.container);
    }
}
