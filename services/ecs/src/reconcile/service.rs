//! Keeps services at their desired count: executes each decision of the scheduler in one transaction.

use super::{task::progress_of, traffic};
use crate::{
    Error,
    calls::ECS,
    deploy, history,
    place::{self, NewTask},
    rules,
    scheduler::{self, Decision, FailedCheck, Life, Member, Version, Why, Wish},
    status::{Known, Status},
    target_check,
};
use escale_base::{AwsError, Timestamp, ids};
use escale_engine::{Plan, Reconciler, StepError};
use escale_service::{Caller, Cloud, Config, Cx};
use escale_store::{Change, Image, Row, Store, Tx};
use escale_tables::{
    cloudwatch::{Alarm, AlarmName, AlarmSeen, CompositeAlarm, StateValue, Watch},
    ec2::{Subnet, ZoneName},
    ecs::{
        Deployment, Ending, FailedDeployment, Health, Launch, Outcome, Overrides, PropagateTags, Service,
        ServiceEvent, ServiceEvents, Stop, StopCause, TargetSeen, Task, TaskDefinition, TaskId,
        TaskOfService, TaskProgress, TaskSeen,
    },
    elbv2::TargetHealthState,
};
use std::{collections::BTreeSet, sync::Arc};

/// AWS returns the last hundred events.
const EVENTS: usize = 100;
/// A task that ends by itself within this time counts as failed to start.
const SHORT_LIFE_MS: i64 = 60_000;

pub(crate) struct Services {
    pub(crate) store: Store,
    pub(crate) cloud: Arc<Cloud>,
}

impl Reconciler for Services {
    type Step = Decision;
    const NAME: &'static str = "ecs.service";
    const WATCHES: &'static [&'static str] = &[
        Service::TABLE,
        Task::TABLE,
        TaskProgress::TABLE,
        TaskSeen::TABLE,
        TargetSeen::TABLE,
        AlarmSeen::TABLE,
    ];

    fn concerned(&self, image: &Image, change: &Change) -> BTreeSet<String> {
        if change.table == Service::TABLE {
            return BTreeSet::from([change.key.clone()]);
        }
        if change.table == AlarmSeen::TABLE {
            let has = |s: &Arc<Service>| watched(s).iter().any(|name| *name.as_str() == change.key);
            return image.scan::<Service>().filter(has).map(|s| s.key()).collect();
        }
        let task = image.get::<Task>(&change.key);
        task.and_then(|t| t.service.as_ref().map(|s| s.key.to_string())).into_iter().collect()
    }

    fn all(&self, image: &Image) -> BTreeSet<String> {
        image.scan::<Service>().map(|s| s.key()).collect()
    }

    fn plan(&self, image: &Image, key: &str, now: Timestamp) -> Plan<Decision> {
        let Some(service) = image.get::<Service>(key) else { return Plan::Done };
        match decide(image, &self.cloud.config, &service, now) {
            Decision::Wait(None) => Plan::Done,
            Decision::Wait(Some(until)) => {
                Plan::wait_until(until, "the pause before the next task starts has not ended")
            }
            decision => Plan::Step(decision),
        }
    }

    async fn act(&self, key: &str, step: Decision) -> Result<(), StepError> {
        let caller = Caller::service(ECS);
        let done = self.cloud.transact(&self.store, &caller, |cx| {
            let Some(service) = cx.tx.get::<Service>(key) else { return Ok(()) };
            // Rows may have changed since the plan. If the decision is another one now, the engine plans again.
            if decide(cx.tx, cx.config, &service, cx.now) != step {
                return Ok(());
            }
            enact(cx, &service, step.clone()).map_err(AwsError::from)
        });
        let Err(failed) = done else { return Ok(()) };
        let error = failed.0;
        // The failed transaction wrote nothing, so its event needs a transaction of its own.
        let recorded = self.cloud.transact(&self.store, &caller, |cx| {
            let text = match step {
                Decision::Shift(_) => format!("was unable to shift traffic. Reason: {}", error.message),
                _ => format!("was unable to place a task. Reason: {}.", error.message),
            };
            let last =
                cx.tx.get::<ServiceEvents>(key).and_then(|e| e.events.first().map(|e| e.message.clone()));
            // The engine retries: do not repeat the same event each time.
            if !last.is_some_and(|m| m.ends_with(&text)) {
                add_event(cx.tx, cx.now, key, &text);
            }
            Ok(())
        });
        recorded.map_err(|e| e.0)?;
        Err(error.into())
    }
}

fn tasks_of<'a>(image: &'a Image, key: &'a str) -> impl Iterator<Item = Arc<Task>> + 'a {
    let of = move |t: &Arc<Task>| t.service.as_ref().is_some_and(|s| s.key == key);
    image.scan::<Task>().filter(of)
}

fn decide(image: &Image, config: &Config, service: &Service, now: Timestamp) -> Decision {
    let key = service.key();
    let members: Vec<Member> = tasks_of(image, &key).filter_map(|t| member(image, service, t)).collect();
    scheduler::decide(&wish(image, config, service), &members, now)
}

fn wish(image: &Image, config: &Config, service: &Service) -> Wish {
    let key = service.key();
    let version = |d: &Deployment| {
        let (failures, last_failure) = failures(image, &key, d);
        Version {
            id: d.id.clone(),
            in_progress: d.outcome == Outcome::InProgress,
            has_failed: d.outcome == Outcome::Failed,
            failures,
            last_failure,
            baking: d.baking,
            // The tasks of a deleted service stop without a shift.
            traffic: d.traffic.clone().filter(|_| service.deleted.is_none()),
        }
    };
    let subnets = service.deployments.first().map(|d| d.network.subnets.clone()).unwrap_or_default();
    let zones: BTreeSet<ZoneName> =
        subnets.iter().filter_map(|s| image.get::<Subnet>(s.as_str())).map(|s| s.zone.clone()).collect();
    Wish {
        desired: service.desired,
        minimum_percent: service.minimum_percent,
        maximum_percent: service.maximum_percent,
        circuit_breaker: service.circuit_breaker && service.deleted.is_none(),
        threshold: scheduler::threshold(service.threshold, service.desired),
        alarm: alarm(image, service).filter(|_| service.deleted.is_none()),
        bake_ms: bake_ms(image, service),
        minute_ms: traffic::minute_ms(config),
        // An update can take away the room that it needs.
        rebalance: service.rebalance && service.maximum_percent > 100,
        grace_ms: service.grace_secs.unwrap_or(0).saturating_mul(1000),
        deployments: service.deployments.iter().map(version).collect(),
        zones: zones.into_iter().collect(),
    }
}

/// A task that has not stopped yet, as the scheduler sees it.
fn member(image: &Image, service: &Service, task: Arc<Task>) -> Option<Member> {
    let deployment = task.service.as_ref()?.deployment.clone();
    let known = Known::of(image, task);
    let life = match known.status() {
        Status::Stopped => return None,
        _ if known.is_stopping() => Life::Stopping,
        Status::Running => life(image, &known, is_shifting(service)),
        _ => Life::Starting,
    };
    Some(Member {
        id: known.task.id.clone(),
        deployment,
        zone: known.task.zone.clone(),
        life,
        has_served: image.get::<TargetSeen>(&known.task.id).is_some_and(|seen| seen.has_served),
        is_checked: known.is_checked() || known.behind_balancer,
        started: known.seen.as_ref().and_then(|s| s.started),
        created: known.task.created,
        // A deleted service keeps no task.
        protected_until: known.task.protected_until.filter(|_| service.deleted.is_none()),
    })
}

/// Whether the newest deployment decides by the health of targets which revision gets traffic.
fn is_shifting(service: &Service) -> bool {
    let newest = service.deployments.first();
    newest.is_some_and(|d| d.outcome == Outcome::InProgress && d.traffic.is_some())
}

fn life(image: &Image, known: &Known, is_strict: bool) -> Life {
    match known.health() {
        Health::Unhealthy => return Life::Unhealthy(FailedCheck::Container),
        Health::Unknown if known.is_checked() => return Life::Starting,
        _ => {}
    }
    if !known.behind_balancer {
        return Life::Up;
    }
    let Some(seen) = image.get::<TargetSeen>(&known.task.id) else { return Life::Starting };
    let any = |wanted| seen.groups.values().any(|(state, _)| *state == wanted);
    match () {
        () if any(TargetHealthState::Unhealthy) => Life::Unhealthy(FailedCheck::Balancer),
        () if seen.groups.is_empty() || any(TargetHealthState::Initial) => Life::Starting,
        // A target that no rule forwards to is not checked, so nothing is known of it.
        () if is_strict && any(TargetHealthState::Unused) => Life::Starting,
        () => Life::Up,
    }
}

/// How many tasks of a deployment failed in a row since it began, and when the last of them ended.
pub(crate) fn failures(image: &Image, key: &str, deployment: &Deployment) -> (u32, Option<Timestamp>) {
    let mut ends: Vec<(Timestamp, bool)> = Vec::new();
    for task in tasks_of(image, key) {
        let of = task.service.as_ref().is_some_and(|s| s.deployment == deployment.id);
        // A completion or a rollback resets `updated`, so earlier failures do not count.
        if !of || task.created < deployment.updated {
            continue;
        }
        let known = Known::of(image, task);
        let started = known.seen.as_ref().and_then(|s| s.started);
        if !known.is_stopping() {
            continue;
        }
        let Some(at) = known.stopping_at().or(known.progress.pull_started) else { continue };
        let short = started.is_none_or(|s| at.since_ms(s) < SHORT_LIFE_MS);
        // A stop that was not on purpose: the task was unhealthy.
        let unhealthy = known.task.stop.is_some();
        if !known.was_stopped_on_purpose() {
            // After the deployment, only short lives count: they are failed starts. During it, any end is a failure.
            let counts = unhealthy
                || known.progress.failed.is_some()
                || short
                || deployment.outcome == Outcome::InProgress;
            ends.push((at, counts));
        }
    }
    ends.sort();
    // A task that ran for a while resets the count.
    let in_a_row = ends.iter().rev().take_while(|(_, counts)| *counts).count();
    (in_a_row as u32, ends.last().filter(|(_, counts)| *counts).map(|(at, _)| *at))
}

fn enact(cx: &mut Cx<'_>, service: &Service, decision: Decision) -> Result<(), Error> {
    match decision {
        Decision::Start(many) => match service.deployments.first() {
            Some(newest) => start(cx, service, newest, many),
            None => Ok(()),
        },
        Decision::StartOf(id, many) => match service.deployments.iter().find(|d| d.id == id) {
            Some(deployment) => start(cx, service, deployment, many),
            None => Ok(()),
        },
        Decision::Shift(to) => traffic::shift(cx, service, to),
        Decision::Pause(stage) => {
            traffic::pause(cx, service, stage);
            Ok(())
        }
        Decision::Expire => {
            traffic::expire(cx, service);
            Ok(())
        }
        Decision::Stop(list) => {
            stop(cx, service, list);
            Ok(())
        }
        Decision::Complete => {
            complete(cx, service);
            Ok(())
        }
        Decision::Trip(alarm) => {
            trip(cx, service, alarm);
            Ok(())
        }
        Decision::Bake => {
            let now = cx.now;
            let begin = |s: &mut Service| s.deployments.first_mut().map(|newest| newest.baking = Some(now));
            cx.tx.update(&service.key(), begin);
            Ok(())
        }
        Decision::Wait(_) => Ok(()),
    }
}

fn start(cx: &mut Cx<'_>, service: &Service, deployment: &Deployment, many: u32) -> Result<(), Error> {
    let key = service.key();
    let definition = TaskDefinition::key_of(&deployment.family, deployment.revision);
    let definition = cx.tx.get::<TaskDefinition>(&definition).ok_or(Error::NoActiveDefinition)?;
    let tags = match service.propagate_tags {
        PropagateTags::Service => service.tags.clone(),
        PropagateTags::TaskDefinition => definition.tags.clone(),
        PropagateTags::None => Vec::new(),
    };
    let mut started = Vec::new();
    for _ in 0..many {
        let capacity_provider = match &deployment.launch {
            Launch::Fargate => None,
            Launch::Strategy(items) => {
                let count = |provider| {
                    let has = |t: &Arc<Task>| t.capacity_provider == Some(provider) && t.stop.is_none();
                    // Read inside the loop: the transaction already contains the tasks that this decision placed.
                    tasks_of(cx.tx, &key).filter(has).count() as i32
                };
                rules::next_provider(items, count)
            }
        };
        let new = NewTask {
            cluster: &service.cluster,
            definition: &definition,
            network: &deployment.network,
            group: format!("service:{}", service.name),
            started_by: Some(deployment.id.to_string()),
            service: Some(TaskOfService { key: key.as_str().into(), deployment: deployment.id.clone() }),
            capacity_provider,
            platform_version: deployment.platform_version,
            overrides: Overrides::default(),
            tags: tags.clone(),
            managed_tags: service.managed_tags,
            execute_command: service.execute_command,
            client_token: None,
        };
        started.push(place::place(cx, new)?.id);
    }
    let list: Vec<String> = started.iter().map(|id| format!("(task {id})")).collect();
    add_event(cx.tx, cx.now, &key, &format!("has started {} tasks: {}.", started.len(), list.join(" ")));
    Ok(())
}

fn stop(cx: &mut Cx<'_>, service: &Service, list: Vec<(TaskId, Why)>) {
    let key = service.key();
    let newest = service.deployments.first().map(|d| d.id.clone()).unwrap_or_default();
    let mut stopped = Vec::new();
    for (id, why) in list {
        // The reasons are AWS's texts.
        let (cause, reason) = match why {
            Why::Unhealthy(FailedCheck::Container) => {
                add_event(cx.tx, cx.now, &key, &format!("(task {id}) failed container health checks."));
                (StopCause::Sick, "Task failed container health checks".into())
            }
            Why::Unhealthy(FailedCheck::Balancer) => (StopCause::Sick, failed_balancer(cx, service, &id)),
            Why::Deployment => {
                (StopCause::Scaled, format!("Scaling activity initiated by (deployment {newest})"))
            }
            Why::ScaleIn => (StopCause::Scaled, "Scaling activity initiated by service scale-in".into()),
        };
        let stop = Stop { at: cx.now, cause, reason };
        cx.tx.update(&id, |t: &mut Task| t.stop.get_or_insert(stop).at);
        stopped.push(format!("(task {id})"));
    }
    add_event(
        cx.tx,
        cx.now,
        &key,
        &format!("has stopped {} running tasks: {}.", stopped.len(), stopped.join(" ")),
    );
}

/// The stop reason of a task that failed its load balancer's check. Also stores the result of the check: the target no longer
/// exists when a failure report needs it.
fn failed_balancer(cx: &mut Cx<'_>, service: &Service, id: &str) -> String {
    let target_check = cx.tx.get::<Task>(id).and_then(|task| target_check::of_task(cx.tx, service, &task));
    const FAILED: &str = "Task failed ELB health checks";
    let Some(target_check) = target_check else { return FAILED.into() };
    let place = format!("(target-group {})", target_check.group);
    let text = format!(
        "(task {id}) (port {}) is unhealthy in {place} due to (reason {}).",
        target_check.port, target_check.description
    );
    add_event(cx.tx, cx.now, &service.key(), &text);
    let mut row = progress_of(cx.tx, id);
    row.check = Some(target_check.message);
    cx.tx.put(row);
    format!("{FAILED} in {place}")
}

fn complete(cx: &mut Cx<'_>, service: &Service) {
    let key = service.key();
    let now = cx.now;
    let done = cx.tx.update(&key, |s: &mut Service| {
        s.deployments.truncate(1);
        let newest = s.deployments.first_mut()?;
        if newest.outcome == Outcome::InProgress {
            newest.outcome = Outcome::Completed;
            newest.reason = format!("ECS deployment {} completed.", newest.id);
        }
        newest.updated = now;
        Some(newest.id.clone())
    });
    if let Some(Some(id)) = done {
        add_event(cx.tx, cx.now, &key, &format!("(deployment {id}) deployment completed."));
        history::complete(cx.tx, &key, now);
    }
    add_event(cx.tx, cx.now, &key, "has reached a steady state.");
}

/// Fails the newest deployment. With rollback enabled, the last completed deployment becomes the newest again.
fn trip(cx: &mut Cx<'_>, service: &Service, alarm: Option<AlarmName>) {
    let key = service.key();
    let now = cx.now;
    let failed_tasks = service.deployments.first().map_or(0, |d| failures(cx.tx, &key, d).0);
    let events = cx.tx.update(&key, |s: &mut Service| {
        let mut events: Vec<String> = Vec::new();
        let rolls_back = match &alarm {
            Some(_) => s.alarms.as_ref().is_some_and(|alarms| alarms.rollback),
            None => s.rollback,
        };
        let Some(newest) = s.deployments.first_mut() else { return (events, None, String::new()) };
        let failed = FailedDeployment { id: newest.id.clone(), alarm };
        newest.outcome = Outcome::Failed;
        newest.reason = deploy::failure(&failed);
        let may_roll = !newest.is_rollback && rolls_back;
        let (what, by) = match &failed.alarm {
            Some(alarm) => (format!("the alarm {alarm} went into the state ALARM"), "alarms"),
            None => ("tasks failed to start".to_owned(), "circuit breaker"),
        };
        let id = failed.id.clone();
        events.push(format!("(deployment {id}) deployment failed: {what}."));
        s.last_failed = Some(failed);
        let back = may_roll.then(|| deploy::roll_back(s, now, by)).flatten();
        events.extend(back.iter().map(|to| format!("(deployment {id}) rolling back to deployment {to}.")));
        (events, back, what)
    });
    let Some((events, back, what)) = events else { return };
    for text in events {
        add_event(cx.tx, cx.now, &key, &text);
    }
    let reason = format!("Service deployment failed: {what}.");
    let was_rolling = history::current(cx.tx, &key).is_some_and(|d| d.rollback.is_some());
    match back {
        Some(to) => history::rolls_back(cx.tx, &key, now, &to, &reason),
        None => {
            let how = if was_rolling { Ending::RollbackFailed } else { Ending::Stopped };
            history::end(cx.tx, &key, now, how, &reason, failed_tasks);
        }
    }
}

/// The alarm of the service that went into the state ALARM since the newest deployment began. One that was in that state before
/// does not count, so that a fix can be deployed.
fn alarm(image: &Image, service: &Service) -> Option<AlarmName> {
    let newest =
        service.deployments.first().filter(|d| d.outcome == Outcome::InProgress && !d.is_rollback)?;
    let is_new = |name: &&AlarmName| {
        let seen = image.get::<AlarmSeen>(name.as_str());
        seen.is_some_and(|seen| seen.state == StateValue::Alarm && seen.transitioned >= newest.created)
    };
    watched(service).iter().find(is_new).cloned()
}

fn watched(service: &Service) -> &[AlarmName] {
    let alarms = service.alarms.as_ref().filter(|alarms| alarms.enable);
    alarms.map_or(&[], |alarms| &alarms.alarm_names)
}

/// How long a deployment's alarms are watched at its end: as long as the slowest of them takes to notice a fault. A rollback is not
/// rolled back itself, so its alarms do not matter.
///
/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html>
fn bake_ms(image: &Image, service: &Service) -> i64 {
    if service.deployments.first().is_none_or(|newest| newest.is_rollback) {
        return 0;
    }
    // An alarm on other alarms takes as long as the slowest of them.
    let (mut reached, mut open): (BTreeSet<AlarmName>, Vec<AlarmName>) =
        (BTreeSet::new(), watched(service).to_vec());
    let mut slowest_ms = 0;
    while let Some(name) = open.pop() {
        slowest_ms =
            slowest_ms.max(image.get::<Alarm>(name.as_str()).map_or(0, |alarm| notices_within_ms(&alarm)));
        let children = image.get::<CompositeAlarm>(name.as_str()).map(|alarm| alarm.children.clone());
        open.extend(children.unwrap_or_default().into_iter().filter(|child| reached.insert(child.clone())));
    }
    slowest_ms
}

fn notices_within_ms(alarm: &Alarm) -> i64 {
    let period_secs = match &alarm.watch {
        Watch::Metric { period_secs, .. } => *period_secs,
        Watch::Queries(queries) => {
            let periods = queries.iter().filter_map(|q| Some(q.metric_stat.as_ref()?.period));
            periods.max().unwrap_or(0)
        }
    };
    i64::from(alarm.rule.evaluation_periods) * period_secs * 1000
}

/// Adds an event to the list that DescribeServices returns.
pub(super) fn add_event(tx: &mut Tx, now: Timestamp, key: &str, text: &str) {
    let mut row = tx
        .get::<ServiceEvents>(key)
        .map_or_else(|| ServiceEvents { service: key.into(), events: Vec::new() }, |row| (*row).clone());
    let message = format!("(service {}) {text}", rules::last_part(key));
    row.events.insert(0, ServiceEvent { id: ids::random_uuid(), at: now, message });
    row.events.truncate(EVENTS);
    tx.put(row);
}
