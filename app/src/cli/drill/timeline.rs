//! What the services noticed, as their APIs report it: events of ECS and RDS, states of tasks and of load balancers' targets.

use super::super::{application::Application, client::Client, tasks};
use anyhow::Result;
use escale_base::{Clock, Timestamp};
use escale_wire::Element;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio_util::task::AbortOnDropHandle;

/// Changes of states are seen this much later than they happen, at most. Events have their own times.
const LOOK: Duration = Duration::from_millis(300);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) at: Timestamp,
    /// The service that noticed it, or `drill` or `users`.
    pub(super) by: &'static str,
    pub(super) what: String,
}

/// The observations of a moment.
#[derive(Clone, Debug, Default)]
struct Seen {
    events: BTreeSet<String>,
    tasks: BTreeMap<String, String>,
    targets: BTreeMap<String, String>,
}

#[derive(Clone)]
pub(super) struct Cloud {
    pub(super) client: Client,
    pub(super) application: Application,
    pub(super) database: Option<String>,
}

pub(super) struct Observer {
    entries: Arc<Mutex<Vec<Entry>>>,
    _running: AbortOnDropHandle<()>,
}

impl Observer {
    /// What is there already is not reported.
    pub(super) async fn start(cloud: Cloud, clock: Clock) -> Observer {
        let entries = Arc::<Mutex<Vec<Entry>>>::default();
        let mut seen = Seen::default();
        let _ = cloud.look(&mut seen, &clock).await;
        let kept = Arc::clone(&entries);
        let running = tokio::spawn(async move {
            let mut every = tokio::time::interval(LOOK);
            every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                every.tick().await;
                // The API may not answer for a moment; the next look shows what changed meanwhile.
                let fresh = cloud.look(&mut seen, &clock).await;
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend(fresh);
            }
        });
        Observer { entries, _running: AbortOnDropHandle::new(running) }
    }

    pub(super) fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Cloud {
    async fn look(&self, seen: &mut Seen, clock: &Clock) -> Vec<Entry> {
        let mut fresh = Vec::new();
        let _ = self.look_at_services(seen, &mut fresh).await;
        let _ = self.look_at_tasks(seen, clock, &mut fresh).await;
        let _ = self.look_at_targets(seen, clock, &mut fresh).await;
        let _ = self.look_at_database(seen, clock, &mut fresh).await;
        fresh
    }

    async fn look_at_services(&self, seen: &mut Seen, fresh: &mut Vec<Entry>) -> Result<()> {
        for service in services(&self.client, &self.application).await? {
            for event in service["events"].as_array().into_iter().flatten().rev() {
                let id = event["id"].as_str().unwrap_or_default();
                if seen.events.insert(id.to_owned()) {
                    let what = event["message"].as_str().unwrap_or_default().to_owned();
                    fresh.push(Entry { at: seconds(&event["createdAt"]), by: "ecs", what });
                }
            }
        }
        Ok(())
    }

    async fn look_at_tasks(&self, seen: &mut Seen, clock: &Clock, fresh: &mut Vec<Entry>) -> Result<()> {
        for task in tasks::all_with_stopped(&self.client, &self.application).await? {
            let (id, status) = (task.id().to_owned(), task.0["lastStatus"].as_str().unwrap_or_default());
            let reason = task.0["stoppedReason"].as_str().map_or(String::new(), |why| format!(": {why}"));
            let health =
                task.0["healthStatus"].as_str().filter(|h| *h == "UNHEALTHY").map_or("", |_| ", UNHEALTHY");
            let state = format!("{status}{health}{reason}");
            let before = seen.tasks.insert(id.clone(), state.clone());
            if before.as_deref() != Some(&state) {
                let short: String = id.chars().take(8).collect();
                let zone = task.0["availabilityZone"].as_str().unwrap_or_default();
                let what = format!("{} task {short} in {zone} is {state}", task.service());
                fresh.push(Entry { at: clock.now(), by: "ecs", what });
            }
        }
        Ok(())
    }

    async fn look_at_targets(&self, seen: &mut Seen, clock: &Clock, fresh: &mut Vec<Entry>) -> Result<()> {
        for (group, target) in targets(&self.client, &self.application).await? {
            let address = target.child("Target").map_or("", |t| t.text_of("Id")).to_owned();
            let health = target.child("TargetHealth");
            let state = health.map_or("", |h| h.text_of("State")).to_owned();
            let why = health.map_or("", |h| h.text_of("Reason"));
            let name = format!("{group} {address}");
            if seen.targets.insert(name.clone(), state.clone()).as_ref() != Some(&state) {
                let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
                let what = format!("target {address} of {group} is {state}{why}");
                fresh.push(Entry { at: clock.now(), by: "elasticloadbalancing", what });
            }
        }
        Ok(())
    }

    async fn look_at_database(&self, seen: &mut Seen, clock: &Clock, fresh: &mut Vec<Entry>) -> Result<()> {
        let Some(id) = &self.database else { return Ok(()) };
        let since = clock.now().plus_ms(-10 * 60_000).iso8601();
        let asked = [
            ("SourceIdentifier".to_owned(), id.clone()),
            ("SourceType".to_owned(), "db-instance".to_owned()),
            ("StartTime".to_owned(), since),
        ];
        for event in self.client.query_all("rds", "DescribeEvents", &asked, "Events", "Marker").await? {
            let (date, what) = (event.text_of("Date"), event.text_of("Message").to_owned());
            if seen.events.insert(format!("{date} {what}")) {
                let at = Timestamp::parse_iso8601(date).unwrap_or_else(|| clock.now());
                fresh.push(Entry { at, by: "rds", what });
            }
        }
        Ok(())
    }

    /// `None` when everything is in its normal state, else the first thing that is not.
    pub(super) async fn unsettled(&self) -> Result<Option<String>> {
        for service in services(&self.client, &self.application).await? {
            let name = service["serviceName"].as_str().unwrap_or_default();
            let (running, desired) = (&service["runningCount"], &service["desiredCount"]);
            let deployments = service["deployments"].as_array().map_or(0, Vec::len);
            let is_done = service["deployments"][0]["rolloutState"] == "COMPLETED";
            if running != desired || deployments != 1 || !is_done {
                return Ok(Some(format!(
                    "the service {name} runs {running} of {desired} tasks, with {deployments} deployments"
                )));
            }
            if let Some(why) = self.unbalanced(&service).await? {
                return Ok(Some(why));
            }
        }
        for (group, target) in targets(&self.client, &self.application).await? {
            let state = target.child("TargetHealth").map_or("", |h| h.text_of("State"));
            if state != "healthy" {
                return Ok(Some(format!("a target of {group} is {state}")));
            }
        }
        let Some(id) = &self.database else { return Ok(None) };
        let asked = [("DBInstanceIdentifier".to_owned(), id.clone())];
        let found = self.client.query("rds", "DescribeDBInstances", &asked).await?;
        let instance = found.list("DBInstances").first();
        let status = instance.map_or("", |i| i.text_of("DBInstanceStatus"));
        let lacks_standby = instance.is_some_and(|i| {
            i.text_of("MultiAZ") == "true" && i.text_of("SecondaryAvailabilityZone").is_empty()
        });
        let state = if lacks_standby { "without a standby" } else { status };
        Ok((state != "available").then(|| format!("the database {id} is {state}")))
    }

    /// Says if a service that ECS keeps balanced is not: after a zone is lost, all its tasks are in the others for a while, and a second
    /// fault there would leave nothing.
    async fn unbalanced(&self, service: &Value) -> Result<Option<String>> {
        if service["availabilityZoneRebalancing"] != "ENABLED" {
            return Ok(None);
        }
        let subnets = service["networkConfiguration"]["awsvpcConfiguration"]["subnets"].as_array();
        let asked: Vec<(String, String)> = subnets
            .into_iter()
            .flatten()
            .enumerate()
            .map(|(n, id)| (format!("SubnetId.{}", n + 1), id.as_str().unwrap_or_default().to_owned()))
            .collect();
        let subnets = self.client.query("ec2", "DescribeSubnets", &asked).await?;
        let zones = subnets.list("subnetSet").iter().map(|s| s.text_of("availabilityZone").to_owned());
        let mut tasks: BTreeMap<String, usize> = zones.map(|zone| (zone, 0)).collect();
        let name = service["serviceName"].as_str().unwrap_or_default();
        for task in tasks::list(&self.client, &self.application.stack, ("serviceName", name)).await? {
            if let Some(count) = task.0["availabilityZone"].as_str().and_then(|zone| tasks.get_mut(zone)) {
                *count += 1;
            }
        }
        let (most, least) = (tasks.values().max().copied(), tasks.values().min().copied());
        let is_uneven = most.unwrap_or(0) > least.unwrap_or(0) + 1;
        Ok(is_uneven.then(|| format!("the tasks of the service {name} are not balanced over its zones yet")))
    }
}

/// The active services of the application.
pub(super) async fn services(client: &Client, application: &Application) -> Result<Vec<Value>> {
    let cluster = &application.stack;
    let listed = client.json("ecs", "ListServices", json!({"cluster": cluster})).await?;
    let arns = listed["serviceArns"].clone();
    if arns.as_array().is_none_or(Vec::is_empty) {
        return Ok(Vec::new());
    }
    let found = client.json("ecs", "DescribeServices", json!({"cluster": cluster, "services": arns})).await?;
    Ok(found["services"].as_array().cloned().unwrap_or_default())
}

/// The targets of the application's load balancers, with the names of their target groups.
async fn targets(client: &Client, application: &Application) -> Result<Vec<(String, Element)>> {
    let mut all = Vec::new();
    for arn in group_arns(client, application).await? {
        let asked = [("TargetGroupArn".to_owned(), arn.clone())];
        let found = client.query("elbv2", "DescribeTargetHealth", &asked).await?;
        let name = arn.rsplit('/').nth(1).unwrap_or_default().to_owned();
        all.extend(found.list("TargetHealthDescriptions").iter().map(|t| (name.clone(), t.clone())));
    }
    Ok(all)
}

/// The target groups of the application's services.
pub(super) async fn group_arns(client: &Client, application: &Application) -> Result<BTreeSet<String>> {
    let services = services(client, application).await?;
    let balancers = services.iter().flat_map(|s| s["loadBalancers"].as_array().into_iter().flatten());
    Ok(balancers.filter_map(|b| b["targetGroupArn"].as_str()).map(str::to_owned).collect())
}

/// A time of the JSON protocols: seconds with a fraction.
fn seconds(value: &Value) -> Timestamp {
    let text = value.as_f64().map_or_else(String::new, |s| format!("{:.0}", s * 1000.0));
    Timestamp(text.parse().unwrap_or_default())
}
