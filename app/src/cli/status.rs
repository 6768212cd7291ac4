//! `escale status`: shows what runs, as the cloud's API reports it.

use super::{
    Output,
    application::Application,
    client::{Client, is_code},
    remote::{Environment, There},
};
use crate::{home::Home, lock, plane, settings::Settings};
use anyhow::Result;
use clap::Args;
use escale_wire::Element;
use serde_json::{Value, json};

/// ECS describes so many services at once.
const DESCRIBED: usize = 10;

#[derive(Args)]
pub(crate) struct Status {
    /// The application, if several are deployed.
    app: Option<String>,
    #[command(flatten)]
    there: There,
}

pub(crate) async fn run(home: &Home, out: &Output, status: &Status) -> Result<()> {
    if let Some(env) = status.there.connect(status.app.as_deref()).await? {
        let status_json = on_aws(&env).await?;
        out.say(&text(&status_json), &status_json);
        return Ok(());
    }
    let settings = Settings::of(home)?;
    let pid = lock::running(home)?.map(|d| d.pid);
    let mut status_json = json!({"daemon": {"pid": pid}, "endpoint": settings.endpoint_url()});
    status_json["plane"] = data_plane(home).await?;
    if pid.is_none() && Client::new(home, &settings).answers().await {
        status_json["other_home"] = home.path().display().to_string().into();
    }
    let application = match &status.app {
        Some(name) => Some(Application::find(home, Some(name))?),
        None => Application::find(home, None).ok(),
    };
    if application.is_none() {
        let all = Application::all(home)?;
        status_json["applications"] = all
            .iter()
            .map(
                |a| json!({"app": a.app, "url": a.url, "https_url": a.https_url(settings.config.https_port)}),
            )
            .collect();
    }
    if let (Some(application), Some(_)) = (&application, pid) {
        let client = Client::new(home, &settings);
        status_json["app"] = application.app.clone().into();
        status_json["url"] = application.url.clone().into();
        status_json["https_url"] = application.https_url(settings.config.https_port).into();
        status_json["stack"] = stack(&client, &application.stack).await?;
        status_json["services"] = services(&client, &application.stack).await?;
        status_json["database"] = database(&client, &application.stack).await?;
    }
    out.say(&text(&status_json), &status_json);
    Ok(())
}

async fn on_aws(env: &Environment) -> Result<Value> {
    let (application, client) = (env.application().await?, &env.client);
    Ok(json!({
        "app": application.app, "url": application.url, "account": env.account, "region": env.region, "caller": env.caller,
        "stack": stack(client, &application.stack).await?, "services": services(client, &application.stack).await?,
        "database": database(client, &application.stack).await?,
    }))
}

/// The process that serves applications; null if it does not run.
async fn data_plane(home: &Home) -> Result<Value> {
    let running = plane::running(home).await?;
    Ok(running.map_or(Value::Null, |hello| {
        json!({
            "pid": hello.pid, "supervisor": hello.supervisor, "starts": hello.starts, "load_balancers": hello.balancers,
            "distributions": hello.distributions, "resolvers": hello.resolvers,
        })
    }))
}

async fn stack(client: &Client, name: &str) -> Result<Value> {
    let found = super::up::describe(client, name).await?;
    Ok(found.map_or(Value::Null, |s| json!({"name": name, "status": s.text_of("StackStatus")})))
}

/// The services of the application's cluster with their tasks.
async fn services(client: &Client, cluster: &str) -> Result<Value> {
    let arns = service_arns(client, cluster).await?;
    if arns.is_empty() {
        return Ok(json!([]));
    }
    let scaled = json!({"ServiceNamespace": "ecs"});
    let scaled = client.json("application-autoscaling", "DescribeScalableTargets", scaled).await?;
    let mut found = Vec::new();
    for some in arns.chunks(DESCRIBED) {
        let request = json!({"cluster": cluster, "services": some});
        let page = client.json("ecs", "DescribeServices", request).await?;
        found.extend(page["services"].as_array().into_iter().flatten().cloned());
    }
    let mut all = Vec::new();
    for service in &found {
        all.push(json!({
            "name": service["serviceName"], "status": service["status"],
            "desired": service["desiredCount"], "running": service["runningCount"],
            "deployment": deployment(service),
            "scaling": scaling(&scaled, cluster, service),
            "tasks": tasks(client, cluster, &service["serviceName"]).await?,
        }));
    }
    Ok(all.into())
}

/// The services of a cluster; none if it does not exist yet.
async fn service_arns(client: &Client, cluster: &str) -> Result<Vec<Value>> {
    let (mut arns, mut input) = (Vec::new(), json!({"cluster": cluster}));
    loop {
        let page = match client.json("ecs", "ListServices", input.clone()).await {
            Err(error) if is_code(&error, "ClusterNotFoundException") => return Ok(Vec::new()),
            page => page?,
        };
        arns.extend(page["serviceArns"].as_array().into_iter().flatten().cloned());
        match &page["nextToken"] {
            Value::Null => return Ok(arns),
            token => input["nextToken"] = token.clone(),
        }
    }
}

/// The limits between which a service is scaled; null if its count is fixed.
fn scaling(targets: &Value, cluster: &str, service: &Value) -> Value {
    let id = format!("service/{cluster}/{}", service["serviceName"].as_str().unwrap_or_default());
    let mut targets = targets["ScalableTargets"].as_array().into_iter().flatten();
    targets
        .find(|target| target["ResourceId"] == id.as_str())
        .map_or(Value::Null, |target| json!({"min": target["MinCapacity"], "max": target["MaxCapacity"]}))
}

/// The progress of the newest deployment, and how many tasks of earlier ones still run.
fn deployment(service: &Value) -> Value {
    let (newest, earlier): (Vec<_>, Vec<_>) =
        service["deployments"].as_array().into_iter().flatten().partition(|d| d["status"] == "PRIMARY");
    let old: i64 = earlier.iter().filter_map(|d| d["runningCount"].as_i64()).sum();
    newest.first().map_or(Value::Null, |d| {
        json!({
            "state": d["rolloutState"], "reason": d["rolloutStateReason"], "desired": d["desiredCount"],
            "running": d["runningCount"], "failed": d["failedTasks"], "old": old,
        })
    })
}

async fn tasks(client: &Client, cluster: &str, service: &Value) -> Result<Value> {
    let listed = client.json("ecs", "ListTasks", json!({"cluster": cluster, "serviceName": service})).await?;
    let arns = listed["taskArns"].clone();
    if arns.as_array().is_none_or(Vec::is_empty) {
        return Ok(json!([]));
    }
    let found = client.json("ecs", "DescribeTasks", json!({"cluster": cluster, "tasks": arns})).await?;
    let shown = found["tasks"].as_array().into_iter().flatten().map(|task| {
        let details = task["attachments"][0]["details"].as_array();
        let address = details.into_iter().flatten().find(|d| d["name"] == "privateIPv4Address");
        let arn = task["taskArn"].as_str().unwrap_or_default();
        json!({
            "id": arn.rsplit('/').next(), "status": task["lastStatus"], "health": task["healthStatus"],
            "zone": task["availabilityZone"], "address": address.map(|d| d["value"].clone()),
        })
    });
    Ok(shown.collect())
}

async fn database(client: &Client, stack: &str) -> Result<Value> {
    let found = client.query_all("rds", "DescribeDBInstances", &[], "DBInstances", "Marker").await?;
    let prefix = format!("{stack}-");
    let own = found.iter().find(|d| d.text_of("DBInstanceIdentifier").starts_with(&prefix));
    Ok(own.map_or(Value::Null, |d| {
        let endpoint = d.child("Endpoint").cloned().unwrap_or_else(Element::default);
        json!({
            "id": d.text_of("DBInstanceIdentifier"), "status": d.text_of("DBInstanceStatus"),
            "engine": format!("{} {}", d.text_of("Engine"), d.text_of("EngineVersion")),
            "zone": d.text_of("AvailabilityZone"), "standby_zone": d.text_of("SecondaryAvailabilityZone"),
            "multi_az": d.text_of("MultiAZ") == "true", "standby": standby_status(d),
            "endpoint": match endpoint.text_of("Address") {
                "" => Value::Null,
                address => format!("{address}:{}", endpoint.text_of("Port")).into(),
            },
        })
    }))
}

/// The standby's replication status of a Multi-AZ instance; null for any other instance.
fn standby_status(instance: &Element) -> Value {
    let infos = instance.list("StatusInfos").iter();
    let mut own = infos.filter(|info| info.text_of("StatusType") == "standby replication");
    own.next().map_or(Value::Null, |info| info.text_of("Message").into())
}

fn text(status_json: &Value) -> String {
    let word = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    let mut lines = Vec::new();
    for other in status_json["applications"].as_array().into_iter().flatten() {
        let app = word(&other["app"]);
        lines.push(format!("{app}  {}  (details: escale status {app})", word(&other["url"])));
    }
    if let Some(app) = status_json["app"].as_str() {
        let stack = status_json["stack"]["status"].as_str().unwrap_or("not created yet");
        lines.push(format!("{app}  {}  ({stack})", word(&status_json["url"])));
        if let Some(url) = status_json["https_url"].as_str() {
            lines.push(format!("  over HTTPS: {url}  (`escale trust` makes browsers trust it)"));
        }
    }
    for service in status_json["services"].as_array().into_iter().flatten() {
        let (running, desired) = (&service["running"], &service["desired"]);
        let deployed = deployed(&service["deployment"]);
        let scaled = match &service["scaling"] {
            Value::Null => String::new(),
            scaling => format!(", scaled between {} and {}", scaling["min"], scaling["max"]),
        };
        lines.push(format!("  {:<12} {running}/{desired} running{scaled}{deployed}", word(&service["name"])));
        for task in service["tasks"].as_array().into_iter().flatten() {
            let id: String = word(&task["id"]).chars().take(8).collect();
            lines.push(format!(
                "    {id}  {:<10} {:<12} {}",
                word(&task["status"]),
                word(&task["zone"]),
                word(&task["address"])
            ));
        }
    }
    if status_json["database"].is_object() {
        let d = &status_json["database"];
        lines.push(format!("  {:<12} {}, {}", word(&d["id"]), word(&d["status"]), word(&d["engine"])));
        let standby = match (word(&d["standby_zone"]).as_str(), d["multi_az"] == true) {
            ("", false) => "no standby".to_owned(),
            ("", true) if d["status"] == "creating" => "no standby yet".to_owned(),
            // Shown with its reason, because until the standby is back a failover is impossible.
            ("", true) => {
                format!("no standby now ({})", d["standby"].as_str().unwrap_or("the reason is unknown"))
            }
            (zone, _) => format!("standby in {zone}"),
        };
        let endpoint = d["endpoint"].as_str().unwrap_or("no endpoint yet");
        lines.push(format!("    primary in {}, {standby}, {endpoint}", word(&d["zone"])));
    }
    if let Some(account) = status_json["account"].as_str() {
        lines.push(format!("AWS account {account}, region {}", word(&status_json["region"])));
        return lines.join("\n");
    }
    match status_json["daemon"]["pid"].as_i64() {
        Some(pid) => lines.push(format!("AWS API at {} (daemon {pid})", word(&status_json["endpoint"]))),
        None => lines.push(match status_json["other_home"].as_str() {
            Some(home) => format!(
                "No daemon runs for {home}, but a daemon of another user or another ESCALE_HOME answers at {}. To see its \
                 status, run this command as that user, for example: sudo escale status",
                word(&status_json["endpoint"])
            ),
            None => "No daemon is running. `escale up` or `escale start` starts one.".to_owned(),
        }),
    }
    lines.extend(data_plane_text(&status_json["plane"]));
    lines.join("\n")
}

/// A line about the data plane, if it runs.
fn data_plane_text(plane: &Value) -> Option<String> {
    let count = |key: &str, one: &str| {
        let n = plane[key].as_i64().unwrap_or(0);
        format!("{n} {one}{}", if n == 1 { "" } else { "s" })
    };
    let (pid, restarts) = (plane["pid"].as_i64()?, plane["starts"].as_i64().unwrap_or(1) - 1);
    let restarted = match restarts {
        0 => String::new(),
        1 => ", restarted once after a failure".to_owned(),
        n => format!(", restarted {n} times after failures"),
    };
    let (balancers, distributions) =
        (count("load_balancers", "load balancer"), count("distributions", "distribution"));
    Some(format!("Data plane serves {balancers} and {distributions} (process {pid}{restarted})"))
}

/// The text after a service's numbers while its deployment is in progress or if it failed.
fn deployed(deployment: &Value) -> String {
    let count = |key: &str| deployment[key].as_i64().unwrap_or(0);
    let some = |n: i64, what: &str| if n > 0 { format!(", {n} {what}") } else { String::new() };
    let (failed, old) = (some(count("failed"), "failed"), some(count("old"), "old"));
    match deployment["state"].as_str() {
        Some("IN_PROGRESS") => {
            let (running, desired) = (count("running"), count("desired"));
            format!(", deploying: {running} of {desired} new tasks running, not all healthy yet{old}{failed}")
        }
        Some("FAILED") => {
            let why = deployment["reason"].as_str().unwrap_or("the reason is unknown").trim_end_matches('.');
            format!(", deployment failed: {why}{old}{failed}")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_shows_the_progress_of_a_deployment() {
        let of = |state: &str, running: i64, failed: i64, old: i64| {
            let deployments = json!([
                {"status": "ACTIVE", "runningCount": old, "rolloutState": "IN_PROGRESS"},
                {"status": "PRIMARY", "runningCount": running, "desiredCount": 2, "failedTasks": failed,
                 "rolloutState": state, "rolloutStateReason": "tasks failed to start."},
            ]);
            deployed(&deployment(&json!({"deployments": deployments})))
        };
        assert_eq!(of("COMPLETED", 2, 0, 0), "");
        let running = "new tasks running, not all healthy yet";
        assert_eq!(of("IN_PROGRESS", 1, 0, 2), format!(", deploying: 1 of 2 {running}, 2 old"));
        assert_eq!(of("IN_PROGRESS", 0, 3, 0), format!(", deploying: 0 of 2 {running}, 3 failed"));
        assert_eq!(of("FAILED", 0, 3, 2), ", deployment failed: tasks failed to start, 2 old, 3 failed");
        assert_eq!(deployed(&deployment(&json!({"deployments": []}))), "");
    }

    #[test]
    fn text_shows_the_data_plane_also_without_a_daemon() {
        let line = |starts: i64| {
            let plane = json!({"pid": 7, "starts": starts, "load_balancers": 1, "distributions": 2});
            text(&json!({"plane": plane, "daemon": {"pid": null}})).lines().last().unwrap().to_owned()
        };
        assert_eq!(line(1), "Data plane serves 1 load balancer and 2 distributions (process 7)");
        assert!(line(2).ends_with("(process 7, restarted once after a failure)"));
        assert!(line(4).ends_with("(process 7, restarted 3 times after failures)"));
        assert!(!text(&json!({"daemon": {"pid": 1}})).contains("Data plane"));
    }

    #[test]
    fn text_shows_why_the_standby_is_missing() {
        let shown = |zone: &str, multi_az: bool| {
            let database = json!({
                "id": "db", "status": "available", "engine": "postgres 15", "zone": "a", "standby_zone": zone,
                "multi_az": multi_az, "standby": "it is rebuilt", "endpoint": "db:5432",
            });
            text(&json!({"database": database, "daemon": {"pid": 1}, "endpoint": "e"}))
                .lines()
                .nth(1)
                .unwrap()
                .to_owned()
        };
        assert_eq!(shown("b", true), "    primary in a, standby in b, db:5432");
        assert_eq!(shown("", true), "    primary in a, no standby now (it is rebuilt), db:5432");
        assert_eq!(shown("", false), "    primary in a, no standby, db:5432");
        let creating = json!({"status": "creating", "zone": "a", "standby_zone": "", "multi_az": true, "endpoint": null});
        let text = text(&json!({"database": creating, "daemon": {"pid": 1}, "endpoint": "e"}));
        assert_eq!(text.lines().nth(1), Some("    primary in a, no standby yet, no endpoint yet"));
    }
}
