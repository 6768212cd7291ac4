//! The services of an application and their tasks, for the commands that need one of them.

use super::{application::Application, client::Client};
use anyhow::{Result, bail};
use serde_json::{Value, json};

/// The beginning of `startedBy` of the tasks that `escale run` starts; the service's name follows.
pub(crate) const STARTED_BY_RUN: &str = "escale-run/";

/// A running or starting task, as DescribeTasks returns it.
pub(crate) struct Task(pub(crate) Value);

impl Task {
    /// The last part of its ARN.
    pub(crate) fn id(&self) -> &str {
        self.0["taskArn"].as_str().and_then(|arn| arn.rsplit('/').next()).unwrap_or_default()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.0["lastStatus"] == "RUNNING"
    }

    fn is_healthy(&self) -> bool {
        self.0["healthStatus"] != "UNHEALTHY"
    }

    /// The name of its service; that of its family for a task without one.
    pub(crate) fn service(&self) -> &str {
        let group = self.0["group"].as_str().unwrap_or_default();
        group.split_once(':').map_or(group, |(_, name)| name)
    }

    /// The names of the containers that run.
    pub(crate) fn containers(&self) -> Vec<&str> {
        let all = self.0["containers"].as_array().into_iter().flatten();
        all.filter(|c| c["lastStatus"] == "RUNNING").filter_map(|c| c["name"].as_str()).collect()
    }

    /// A value of its network interface: `networkInterfaceId`, `subnetId`, `privateIPv4Address`.
    pub(crate) fn interface(&self, detail: &str) -> Option<&str> {
        let details = self.0["attachments"][0]["details"].as_array()?;
        details.iter().find(|d| d["name"] == detail)?["value"].as_str()
    }
}

/// The service as DescribeServices returns it. The error lists the existing services.
pub(crate) async fn service(client: &Client, application: &Application, name: &str) -> Result<Value> {
    let cluster = &application.stack;
    let input = json!({"cluster": cluster, "services": [name]});
    let found = match client.json("ecs", "DescribeServices", input).await {
        Err(error) if super::client::is_code(&error, "ClusterNotFoundException") => {
            bail!(
                "{} has no services yet, because its stack does not exist. Deploy it with `escale up`",
                application.app
            )
        }
        found => found?,
    };
    let services = found["services"].as_array().into_iter().flatten();
    if let Some(service) = services.into_iter().find(|s| s["status"] == "ACTIVE") {
        return Ok(service.clone());
    }
    let listed = client.json("ecs", "ListServices", json!({"cluster": cluster})).await?;
    let arns = listed["serviceArns"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut names: Vec<&str> = arns.filter_map(|arn| arn.rsplit('/').next()).collect();
    names.sort_unstable();
    match names.as_slice() {
        [] => bail!("{} has no services yet", application.app),
        known => bail!("{} has no service '{name}'. Its services are: {}", application.app, known.join(", ")),
    }
}

/// The tasks that ListTasks finds with this filter, in the order of their creation.
pub(crate) async fn list(client: &Client, cluster: &str, filter: (&str, &str)) -> Result<Vec<Task>> {
    let listed = client.json("ecs", "ListTasks", json!({"cluster": cluster, (filter.0): filter.1})).await?;
    let arns = listed["taskArns"].clone();
    if arns.as_array().is_none_or(Vec::is_empty) {
        return Ok(Vec::new());
    }
    let found = client.json("ecs", "DescribeTasks", json!({"cluster": cluster, "tasks": arns})).await?;
    let mut tasks: Vec<Task> = found["tasks"].as_array().into_iter().flatten().cloned().map(Task).collect();
    tasks.sort_by(|a, b| {
        a.0["createdAt"].as_f64().unwrap_or(0.0).total_cmp(&b.0["createdAt"].as_f64().unwrap_or(0.0))
    });
    Ok(tasks)
}

/// All tasks of the application that run or start.
pub(crate) async fn all(client: &Client, application: &Application) -> Result<Vec<Task>> {
    list(client, &application.stack, ("desiredStatus", "RUNNING")).await
}

/// Those that stopped lately, too.
pub(crate) async fn all_with_stopped(client: &Client, application: &Application) -> Result<Vec<Task>> {
    let mut tasks = list(client, &application.stack, ("desiredStatus", "STOPPED")).await?;
    tasks.extend(all(client, application).await?);
    Ok(tasks)
}

/// A running task of a service, healthy if possible. With `id`, the task whose id begins with it, which may also be one that
/// `escale run` started.
pub(crate) async fn choose(
    client: &Client,
    application: &Application,
    service: &str,
    id: Option<&str>,
) -> Result<Task> {
    let cluster = &application.stack;
    let mut tasks = list(client, cluster, ("serviceName", service)).await?;
    if id.is_some() {
        let started_by = format!("{STARTED_BY_RUN}{service}");
        tasks.extend(list(client, cluster, ("startedBy", &started_by)).await?);
    }
    tasks.retain(Task::is_running);
    let short = |t: &Task| t.id().chars().take(8).collect::<String>();
    let running = tasks.iter().map(short).collect::<Vec<_>>().join(", ");
    if tasks.is_empty() {
        bail!("the service {service} has no running task now. `escale status` shows why")
    }
    let Some(id) = id else {
        let at = tasks.iter().position(Task::is_healthy).unwrap_or(0);
        return Ok(tasks.swap_remove(at));
    };
    tasks.retain(|t| t.id().starts_with(id));
    match (tasks.pop(), tasks.len()) {
        (Some(only), 0) => Ok(only),
        (Some(_), _) => bail!("several tasks of {service} begin with '{id}'. Pass more of the id: {running}"),
        (None, _) => {
            bail!("the service {service} has no running task '{id}'. Its running tasks are: {running}")
        }
    }
}
