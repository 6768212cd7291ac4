//! `escale status`: what runs, as the cloud's API tells it.

use super::{Output, application::Application, client::Client, xml::Xml};
use crate::{home::Home, lock, settings::Settings};
use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

#[derive(Args)]
pub(crate) struct Status {
    /// The application, when several run.
    app: Option<String>,
}

pub(crate) async fn run(home: &Home, out: &Output, status: &Status) -> Result<()> {
    let settings = Settings::of(home)?;
    let pid = lock::running(home)?.map(|d| d.pid);
    let mut told = json!({"daemon": {"pid": pid}, "endpoint": settings.endpoint_url()});
    if pid.is_none() && Client::new(home, &settings).answers().await {
        told["other_home"] = home.path().display().to_string().into();
    }
    let application = match &status.app {
        Some(name) => Some(Application::find(home, Some(name))?),
        None => Application::find(home, None).ok(),
    };
    if application.is_none() {
        let all = Application::all(home)?;
        told["applications"] = all.iter().map(|a| json!({"app": a.app, "url": a.url})).collect();
    }
    if let (Some(application), Some(_)) = (&application, pid) {
        let client = Client::new(home, &settings);
        told["app"] = application.app.clone().into();
        told["url"] = application.url.clone().into();
        told["stack"] = stack(&client, &application.stack).await?;
        told["services"] = services(&client, &application.stack).await?;
        told["database"] = database(&client, &application.stack).await?;
    }
    out.say(&text(&told), &told);
    Ok(())
}

async fn stack(client: &Client, name: &str) -> Result<Value> {
    let found = super::up::describe(client, name).await?;
    Ok(found.map_or(Value::Null, |s| json!({"name": name, "status": s.text_of("StackStatus")})))
}

/// The services of the application's cluster with their tasks.
async fn services(client: &Client, cluster: &str) -> Result<Value> {
    let Ok(listed) = client.json("ecs", "ListServices", json!({"cluster": cluster})).await else {
        return Ok(json!([]));
    };
    let arns = listed["serviceArns"].clone();
    if arns.as_array().is_none_or(Vec::is_empty) {
        return Ok(json!([]));
    }
    let found = client.json("ecs", "DescribeServices", json!({"cluster": cluster, "services": arns})).await?;
    let mut all = Vec::new();
    for service in found["services"].as_array().into_iter().flatten() {
        all.push(json!({
            "name": service["serviceName"], "status": service["status"],
            "desired": service["desiredCount"], "running": service["runningCount"],
            "deployment": deployment(service),
            "tasks": tasks(client, cluster, &service["serviceName"]).await?,
        }));
    }
    Ok(all.into())
}

/// How far the newest deployment is, and what of earlier ones still runs.
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
    let told = found["tasks"].as_array().into_iter().flatten().map(|task| {
        let details = task["attachments"][0]["details"].as_array();
        let address = details.into_iter().flatten().find(|d| d["name"] == "privateIPv4Address");
        let arn = task["taskArn"].as_str().unwrap_or_default();
        json!({
            "id": arn.rsplit('/').next(), "status": task["lastStatus"], "health": task["healthStatus"],
            "zone": task["availabilityZone"], "address": address.map(|d| d["value"].clone()),
        })
    });
    Ok(told.collect())
}

async fn database(client: &Client, stack: &str) -> Result<Value> {
    let Ok(found) = client.query("rds", "DescribeDBInstances", &[]).await else { return Ok(Value::Null) };
    let prefix = format!("{stack}-");
    let own =
        found.list("DBInstances").iter().find(|d| d.text_of("DBInstanceIdentifier").starts_with(&prefix));
    Ok(own.map_or(Value::Null, |d| {
        let endpoint = d.child("Endpoint").cloned().unwrap_or_else(Xml::default);
        json!({
            "id": d.text_of("DBInstanceIdentifier"), "status": d.text_of("DBInstanceStatus"),
            "engine": format!("{} {}", d.text_of("Engine"), d.text_of("EngineVersion")),
            "zone": d.text_of("AvailabilityZone"), "standby_zone": d.text_of("SecondaryAvailabilityZone"),
            "multi_az": d.text_of("MultiAZ") == "true", "standby": standby_says(d),
            "endpoint": match endpoint.text_of("Address") {
                "" => Value::Null,
                address => format!("{address}:{}", endpoint.text_of("Port")).into(),
            },
        })
    }))
}

/// What a Multi-AZ instance says of its standby; null for one without.
fn standby_says(instance: &Xml) -> Value {
    let infos = instance.list("StatusInfos").iter();
    let mut own = infos.filter(|info| info.text_of("StatusType") == "standby replication");
    own.next().map_or(Value::Null, |info| info.text_of("Message").into())
}

fn text(told: &Value) -> String {
    let word = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    let mut lines = Vec::new();
    for other in told["applications"].as_array().into_iter().flatten() {
        let app = word(&other["app"]);
        lines.push(format!("{app}  {}  (more: escale status {app})", word(&other["url"])));
    }
    if let Some(app) = told["app"].as_str() {
        let stack = told["stack"]["status"].as_str().unwrap_or("not made yet");
        lines.push(format!("{app}  {}  ({stack})", word(&told["url"])));
    }
    for service in told["services"].as_array().into_iter().flatten() {
        let (running, desired) = (&service["running"], &service["desired"]);
        let deployed = deployed(&service["deployment"]);
        lines.push(format!("  {:<12} {running}/{desired} running{deployed}", word(&service["name"])));
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
    if told["database"].is_object() {
        let d = &told["database"];
        lines.push(format!("  {:<12} {}, {}", word(&d["id"]), word(&d["status"]), word(&d["engine"])));
        let standby = match (word(&d["standby_zone"]).as_str(), d["multi_az"] == true) {
            ("", false) => "no standby".to_owned(),
            ("", true) if d["status"] == "creating" => "no standby yet".to_owned(),
            // A failover would have nowhere to go, for as long as that is so.
            ("", true) => {
                format!("no standby now ({})", d["standby"].as_str().unwrap_or("no reason is known"))
            }
            (zone, _) => format!("standby in {zone}"),
        };
        let endpoint = d["endpoint"].as_str().unwrap_or("no endpoint yet");
        lines.push(format!("    primary in {}, {standby}, {endpoint}", word(&d["zone"])));
    }
    match told["daemon"]["pid"].as_i64() {
        Some(pid) => lines.push(format!("AWS API at {} (daemon {pid})", word(&told["endpoint"]))),
        None => lines.push(match told["other_home"].as_str() {
            Some(home) => format!(
                "no daemon runs for {home}, but one answers at {}: of another user, or of another ESCALE_HOME. Ask it as root, \
                 for example: sudo escale status",
                word(&told["endpoint"])
            ),
            None => "no daemon runs; `escale up` starts one".to_owned(),
        }),
    }
    lines.join("\n")
}

/// What stands behind the numbers of a service that is being deployed, or could not be.
fn deployed(deployment: &Value) -> String {
    let count = |key: &str| deployment[key].as_i64().unwrap_or(0);
    let some = |n: i64, what: &str| if n > 0 { format!(", {n} {what}") } else { String::new() };
    let (failed, old) = (some(count("failed"), "failed"), some(count("old"), "old"));
    match deployment["state"].as_str() {
        Some("IN_PROGRESS") => {
            let (running, desired) = (count("running"), count("desired"));
            format!(", being deployed: {running} of {desired} new, not all healthy yet{old}{failed}")
        }
        Some("FAILED") => {
            let why = deployment["reason"].as_str().unwrap_or("no reason is known");
            format!(", its deployment failed: {why}{old}{failed}")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deployments_are_told_plainly() {
        let of = |state: &str, running: i64, failed: i64, old: i64| {
            let deployments = json!([
                {"status": "ACTIVE", "runningCount": old, "rolloutState": "IN_PROGRESS"},
                {"status": "PRIMARY", "runningCount": running, "desiredCount": 2, "failedTasks": failed,
                 "rolloutState": state, "rolloutStateReason": "tasks failed to start."},
            ]);
            deployed(&deployment(&json!({"deployments": deployments})))
        };
        assert_eq!(of("COMPLETED", 2, 0, 0), "");
        assert_eq!(of("IN_PROGRESS", 1, 0, 2), ", being deployed: 1 of 2 new, not all healthy yet, 2 old");
        assert_eq!(of("IN_PROGRESS", 0, 3, 0), ", being deployed: 0 of 2 new, not all healthy yet, 3 failed");
        assert_eq!(of("FAILED", 0, 3, 2), ", its deployment failed: tasks failed to start., 2 old, 3 failed");
        assert_eq!(deployed(&deployment(&json!({"deployments": []}))), "");
    }

    #[test]
    fn a_standby_that_is_away_is_told_with_its_reason() {
        let said = |zone: &str, multi_az: bool| {
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
        assert_eq!(said("b", true), "    primary in a, standby in b, db:5432");
        assert_eq!(said("", true), "    primary in a, no standby now (it is rebuilt), db:5432");
        assert_eq!(said("", false), "    primary in a, no standby, db:5432");
        let coming = json!({"status": "creating", "zone": "a", "standby_zone": "", "multi_az": true, "endpoint": null});
        let told = text(&json!({"database": coming, "daemon": {"pid": 1}, "endpoint": "e"}));
        assert_eq!(told.lines().nth(1), Some("    primary in a, no standby yet, no endpoint yet"));
    }
}
