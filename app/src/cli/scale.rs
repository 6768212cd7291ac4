//! `escale scale`: changes how many tasks of a service run.

use super::{
    Output,
    application::{Application, LOCAL, read_manifest},
    client::Client,
    tasks,
};
use crate::{home::Home, settings::Settings};
use anyhow::{Result, bail};
use clap::Args;
use escale_blueprint::{Count, Scale as Scaling};
use serde_json::{Value, json};
use std::time::Duration;

#[derive(Args)]
pub(crate) struct Scale {
    /// The service.
    service: String,
    /// How many tasks are to run. With 0 the service stays, without tasks.
    count: u32,
    /// The application, if several are deployed.
    #[arg(long)]
    app: Option<String>,
    /// Stop waiting after this many seconds. ECS continues to start or stop tasks.
    #[arg(long, default_value_t = 600)]
    timeout: u64,
}

/// Pause between two requests for the service's state.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

pub(crate) async fn run(home: &Home, out: &Output, scale: &Scale) -> Result<()> {
    let application = Application::find(home, scale.app.as_deref())?;
    let client = Client::new(home, &Settings::of(home)?);
    let before =
        tasks::service(&client, &application, &scale.service).await?["desiredCount"].as_i64().unwrap_or(0);
    let (cluster, service, count) = (&application.stack, &scale.service, scale.count);
    let update = json!({"cluster": cluster, "service": service, "desiredCount": count});
    client.json("ecs", "UpdateService", update).await?;
    let mut latest = Value::Null;
    let steady = async {
        loop {
            latest = tasks::service(&client, &application, service).await?;
            if is_steady(&latest) {
                return anyhow::Ok(());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    match tokio::time::timeout(Duration::from_secs(scale.timeout), steady).await {
        Ok(done) => done?,
        Err(_) => bail!(
            "the service {service} is not steady after {} s: {} of {count} tasks run. ECS keeps trying. Its last event is: {}",
            scale.timeout,
            latest["runningCount"],
            latest["events"][0]["message"].as_str().unwrap_or("none")
        ),
    }
    let changed =
        if before == i64::from(count) { "as before".to_owned() } else { format!("instead of {before}") };
    let up = after_up(count, count_in_manifest(&application, service));
    let text =
        format!("{service}: {count} running {} {changed}. {up}", if count == 1 { "task" } else { "tasks" });
    out.say(
        &text,
        &json!({"service": service, "before": before, "count": count, "running": latest["runningCount"]}),
    );
    Ok(())
}

/// The count that the manifest sets; `None` if the manifest cannot be read now.
fn count_in_manifest(application: &Application, service: &str) -> Option<Count> {
    let manifest = read_manifest(&application.manifest, LOCAL, &[]).ok()?;
    manifest.services.iter().find(|s| s.name == service).map(|s| s.count)
}

/// What changes the count again. CloudFormation sets the count of the template only when it changes the service.
fn after_up(count: u32, in_manifest: Option<Count>) -> String {
    match in_manifest {
        Some(Count::Scaled(Scaling { min, max, .. })) => {
            format!("Auto scaling continues from there, between {min} and {max} tasks.")
        }
        Some(Count::Fixed(same)) if same == count => {
            "That is the manifest's count, so `escale up` keeps it.".to_owned()
        }
        Some(Count::Fixed(other)) => format!(
            "`escale up` keeps that until it changes this service; then the manifest's count of {other} applies again."
        ),
        None => {
            "`escale up` keeps that until it changes this service; then the manifest's count applies again."
                .to_owned()
        }
    }
}

/// The condition of the AWS CLI's `wait services-stable`, and no task is starting.
fn is_steady(service: &Value) -> bool {
    let deployments = service["deployments"].as_array().map(Vec::as_slice).unwrap_or_default();
    matches!(deployments, [only] if only["rolloutState"] != "IN_PROGRESS")
        && service["runningCount"] == service["desiredCount"]
        && service["pendingCount"] == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_is_steady_when_all_tasks_of_one_deployment_run() {
        let service = |running: i64, pending: i64, deployments: Value| json!({"desiredCount": 2, "runningCount": running, "pendingCount": pending, "deployments": deployments});
        let done = json!({"rolloutState": "COMPLETED"});
        for (service, steady) in [
            (service(2, 0, json!([done])), true),
            (service(1, 0, json!([done])), false),
            (service(2, 1, json!([done])), false),
            (service(3, 0, json!([done])), false),
            (service(2, 0, json!([{"rolloutState": "IN_PROGRESS"}])), false),
            (service(2, 0, json!([done, done])), false),
        ] {
            assert_eq!(is_steady(&service), steady, "{service}");
        }
    }
}
