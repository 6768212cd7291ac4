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
    let application = match &status.app {
        Some(name) => Some(Application::find(home, Some(name))?),
        None => Application::find(home, None).ok(),
    };
    if application.is_none() {
        let all = Application::all(home)?;
        told["applications"] = all.iter().map(|a| json!({"app": a.app, "url": a.url})).collect();
    }
    if let (Some(application), Some(_)) = (&application, pid) {
        let client = Client::new(&settings);
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
            "tasks": tasks(client, cluster, &service["serviceName"]).await?,
        }));
    }
    Ok(all.into())
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
            "multi_az": d.text_of("MultiAZ") == "true",
            "endpoint": format!("{}:{}", endpoint.text_of("Address"), endpoint.text_of("Port")),
        })
    }))
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
        lines.push(format!("  {:<12} {running}/{desired} running", word(&service["name"])));
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
        let standby = match word(&d["standby_zone"]).as_str() {
            "" => "no standby".to_owned(),
            zone => format!("standby in {zone}"),
        };
        lines.push(format!("    primary in {}, {standby}, {}", word(&d["zone"]), word(&d["endpoint"])));
    }
    match told["daemon"]["pid"].as_i64() {
        Some(pid) => lines.push(format!("AWS API at {} (daemon {pid})", word(&told["endpoint"]))),
        None => lines.push("no daemon runs; `escale up` starts one".to_owned()),
    }
    lines.join("\n")
}
