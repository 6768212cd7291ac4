//! The life cycle of one task: interface, containers, target groups; and the same in reverse.

use super::{pull::Puller, start::Starter};
use crate::{
    Planes,
    calls::ECS,
    failure_report, infrastructure,
    registries::{self, Announcement},
    rules,
    status::Known,
};
use escale_base::{AwsError, Timestamp, already_gone, found};
use escale_engine::{Plan, Reconciler, StepError};
use escale_requests::{
    ec2::{DeleteNetworkInterface, DisassociateAddress, ReleaseAddress},
    elbv2::{DeregisterTargets, DescribeTargetGroupAttributes, RegisterTargets, Target},
};
use escale_service::{Caller, Cloud, Request};
use escale_store::{Change, Image, Row, Store};
use escale_tables::{
    ec2::InterfaceSeen,
    ecs::{LoadBalancer, LogCursor, Phase, Service, TargetSeen, Task, TaskOutput, TaskProgress, TaskSeen},
    elbv2::TargetHealthState,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// How long a stopped task can be described.
const VISIBLE_MS: i64 = 3_600_000;
/// AWS's default deregistration delay: the time between leaving a target group and the stop.
const DRAIN_SECS: i64 = 300;

pub(crate) struct Tasks {
    pub(crate) store: Store,
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) planes: Planes,
    pub(crate) puller: Puller,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    Start,
    Register,
    Deregister,
    /// Registers the task in Cloud Map, or deregisters it.
    Announce(Announcement),
    Stop(String),
    Release,
    DeleteRows,
}

impl Reconciler for Tasks {
    type Step = Step;
    const NAME: &'static str = "ecs.task";
    const WATCHES: &'static [&'static str] = &[
        Task::TABLE,
        TaskProgress::TABLE,
        TaskSeen::TABLE,
        LogCursor::TABLE,
        TargetSeen::TABLE,
        InterfaceSeen::TABLE,
    ];

    fn concerned(&self, image: &Image, change: &Change) -> BTreeSet<String> {
        match change.table {
            InterfaceSeen::TABLE => {
                let of = |t: &Arc<Task>| t.interface.as_str() == change.key;
                image.scan::<Task>().filter(of).map(|t| t.id.to_string()).collect()
            }
            // The keys of all other tables begin with the task's id.
            _ => change.key.split('/').next().map(str::to_owned).into_iter().collect(),
        }
    }

    fn all(&self, image: &Image) -> BTreeSet<String> {
        image.scan::<Task>().map(|t| t.id.to_string()).collect()
    }

    fn plan(&self, image: &Image, id: &str, now: Timestamp) -> Plan<Step> {
        match Known::find(image, id) {
            Some(known) => plan(image, &known, now),
            None => Plan::Done,
        }
    }

    async fn act(&self, id: &str, step: Step) -> Result<(), StepError> {
        match step {
            Step::Start => {
                let starter = Starter {
                    store: &self.store,
                    cloud: &self.cloud,
                    planes: &self.planes,
                    puller: &self.puller,
                };
                starter.start(id).await
            }
            Step::Register => self.register(id).await,
            Step::Deregister => self.deregister(id).await,
            Step::Announce(announcement) => self.announce(id, announcement),
            Step::Stop(reason) => Ok(self.planes.containers.stop(id, &reason).await?),
            Step::Release => self.release(id).await,
            Step::DeleteRows => self.store.write(|tx| {
                let cursors: Vec<String> =
                    tx.prefix::<LogCursor>(&format!("{id}/")).map(|c| c.key()).collect();
                for key in &cursors {
                    tx.delete::<LogCursor>(key);
                }
                tx.delete::<TaskSeen>(id);
                tx.delete::<TaskOutput>(id);
                tx.delete::<TargetSeen>(id);
                tx.delete::<TaskProgress>(id);
                tx.delete::<Task>(id);
                Ok(())
            }),
        }
    }
}

fn plan(image: &Image, known: &Known, now: Timestamp) -> Plan<Step> {
    if let Some(stopped) = known.progress.stopped {
        let until = stopped.plus_ms(VISIBLE_MS);
        return if now < until {
            Plan::wait_until(until, "the stopped task stays visible for a while")
        } else {
            Plan::Step(Step::DeleteRows)
        };
    }
    if known.is_stopping() {
        return plan_stop(image, known, now);
    }
    match known.phase() {
        None if !known.has_interface => Plan::wait("the task's network interface is not available yet"),
        // Also if containers are observed already: after a crash in the middle of a start its result must still be recorded.
        _ if known.progress.images.is_empty() => Plan::Step(Step::Start),
        None | Some(Phase::Starting) => Plan::wait("the task's containers are starting"),
        Some(_) if known.behind_balancer && !known.progress.registered => Plan::Step(Step::Register),
        Some(_) => registries::due(known).map_or(Plan::Done, |due| Plan::Step(Step::Announce(due))),
    }
}

fn plan_stop(image: &Image, known: &Known, now: Timestamp) -> Plan<Step> {
    let runs = matches!(known.phase(), Some(Phase::Starting | Phase::Running));
    // As with the target groups: no new client finds a stopping task.
    if !known.progress.announced.is_empty() {
        return Plan::Step(Step::Announce(Announcement::Deregister));
    }
    // Leave the target groups before the containers stop, so that no new request reaches a stopping task.
    if known.progress.registered && known.progress.draining_until.is_none() {
        return Plan::Step(Step::Deregister);
    }
    if runs {
        if let Some(until) = known.progress.draining_until.filter(|until| *until > now)
            && is_draining(image, &known.task.id)
        {
            return Plan::wait_until(until, "the load balancer still drains connections to the task");
        }
        let reason = known.stop().map_or_else(String::new, |s| s.1);
        return Plan::Step(Step::Stop(reason));
    }
    match known.phase() {
        Some(Phase::Stopping) => Plan::wait("the task's containers are stopping"),
        // Releasing deletes the containers together with their log files.
        Some(_) if !logs_are_shipped(image, known) => {
            Plan::wait("the task's last log lines are being shipped")
        }
        _ => Plan::Step(Step::Release),
    }
}

/// Whether a load balancer may still send requests to the task: until it is observed in none of its groups. An observation from
/// before the deregistration shows it healthy, and without any observation nothing is known. The deregistration delay limits the
/// wait.
fn is_draining(image: &Image, task: &str) -> bool {
    let seen = image.get::<TargetSeen>(task);
    seen.is_none_or(|s| {
        s.groups.is_empty() || s.groups.values().any(|(state, _)| *state != TargetHealthState::Unused)
    })
}

fn logs_are_shipped(image: &Image, known: &Known) -> bool {
    let Some(definition) = &known.definition else { return true };
    definition.containers.iter().filter(|c| c.log_configuration.is_some()).all(|c| {
        let key = format!("{}/{}", known.task.id, c.name);
        image.get::<LogCursor>(&key).is_some_and(|cursor| cursor.ended)
    })
}

impl Tasks {
    fn balancers(&self, id: &str) -> Option<(Arc<Task>, Vec<LoadBalancer>)> {
        let image = self.store.read();
        let task = image.get::<Task>(id)?;
        let of = task.service.as_ref()?;
        let balancers = image.get::<Service>(&of.key)?.load_balancers_of(&of.deployment).to_vec();
        Some((task, balancers))
    }

    async fn call<R: Request>(&self, request: R) -> Result<R::Answer, AwsError> {
        escale_service::request(&self.cloud, &self.store, &Caller::service(ECS), request).await
    }

    /// Changes a target group: under the role that the load balancer's configuration names, if there is one.
    async fn call_at<R: Request>(
        &self,
        task: &Task,
        balancer: &LoadBalancer,
        request: R,
    ) -> Result<R::Answer, AwsError> {
        let (Some(advanced), Some(of)) = (&balancer.advanced_configuration, &task.service) else {
            return self.call(request).await;
        };
        let arn = rules::arn(&self.cloud.config, format!("service/{}", of.key));
        let done = self.cloud.transact(&self.store, &Caller::service(ECS), |cx| {
            let role = infrastructure::assume(cx, &advanced.role_arn, &arn)?;
            cx.call_for(&role, request)
        });
        done.map_err(|failed| failed.0)
    }

    async fn register(&self, id: &str) -> Result<(), StepError> {
        let Some((task, balancers)) = self.balancers(id) else { return Ok(()) };
        for balancer in &balancers {
            let Some((target_group_arn, mut target)) = target(&task, balancer) else { continue };
            target.availability_zone = Some(task.zone.to_string());
            self.call_at(&task, balancer, RegisterTargets { target_group_arn, targets: vec![target] })
                .await?;
        }
        self.progress(id, |p| p.registered = true)
    }

    /// Removes the task from its target groups, and sets how long its open connections may drain.
    async fn deregister(&self, id: &str) -> Result<(), StepError> {
        let Some((task, balancers)) = self.balancers(id) else {
            // Without the service's row its target groups are unknown, so there is nothing to drain.
            let now = self.cloud.clock.now();
            return self.progress(id, |p| p.draining_until = Some(now));
        };
        let mut longest = 0;
        for balancer in &balancers {
            let Some((target_group_arn, target)) = target(&task, balancer) else { continue };
            let request =
                DeregisterTargets { target_group_arn: target_group_arn.clone(), targets: vec![target] };
            // If the target group was deleted before the service, there are no connections to drain.
            if found(self.call_at(&task, balancer, request).await)?.is_some() {
                longest = longest.max(self.drain_secs(target_group_arn).await);
            }
        }
        let until = self.cloud.clock.now().plus_ms(longest * 1000);
        self.progress(id, |p| p.draining_until = Some(until))
    }

    fn announce(&self, id: &str, announcement: Announcement) -> Result<(), StepError> {
        let done = self.cloud.transact(&self.store, &Caller::service(ECS), |cx| {
            let Some(task) = cx.tx.get::<Task>(id) else { return Ok(()) };
            let mut row = progress_of(cx.tx, id);
            match announcement {
                Announcement::Register => registries::register(cx, &task, &mut row)?,
                Announcement::Deregister => registries::deregister(cx, &task, &mut row)?,
            }
            cx.tx.put(row);
            Ok(())
        });
        done.map_err(|e| e.0.into())
    }

    async fn drain_secs(&self, target_group_arn: String) -> i64 {
        let Ok(answer) = self.call(DescribeTargetGroupAttributes { target_group_arn }).await else {
            return DRAIN_SECS;
        };
        let delay = answer.attributes.iter().find(|a| a.key == "deregistration_delay.timeout_seconds");
        delay.and_then(|a| a.value.parse().ok()).unwrap_or(DRAIN_SECS)
    }

    /// Removes containers, addresses and the interface. Then the task is STOPPED.
    async fn release(&self, id: &str) -> Result<(), StepError> {
        // In this order: the output goes with the containers, and only the last transaction marks the task as stopped. So a
        // crash anywhere repeats the whole step.
        self.keep_output(id).await?;
        self.planes.containers.remove(id).await?;
        let caller = Caller::service(ECS);
        let released = self.cloud.transact(&self.store, &caller, |cx| {
            let Some(task) = cx.tx.get::<Task>(id) else { return Ok(()) };
            if let Some(allocation) = &task.allocation {
                let address = cx.tx.get::<escale_tables::ec2::Address>(allocation.as_str());
                if let Some((association_id, _)) = address.and_then(|a| a.association.clone()) {
                    already_gone(cx.call_as(ECS, DisassociateAddress { association_id }))?;
                }
                let allocation_id = allocation.clone();
                already_gone(cx.call_as(ECS, ReleaseAddress { allocation_id }))?;
            }
            let network_interface_id = task.interface.clone();
            already_gone(cx.call_as(ECS, DeleteNetworkInterface { network_interface_id }))?;
            let mut row = progress_of(cx.tx, id);
            row.stopped = Some(cx.now);
            cx.tx.put(row);
            Ok(())
        });
        released.map_err(|e| e.0.into())
    }

    /// Keeps the last lines of the containers, for failure reports.
    async fn keep_output(&self, id: &str) -> Result<(), StepError> {
        let containers = &self.planes.containers;
        // In a repetition after a crash the containers are gone, but their output was kept the first time.
        let Some(group) = containers.observe(id) else { return Ok(()) };
        let mut output = TaskOutput { task: id.into(), lines: BTreeMap::new() };
        for name in group.containers.keys() {
            // The lines only help to find the cause: an error must not keep the task from stopping.
            let lines = match containers.tail(id, name, failure_report::LINES).await {
                Ok(lines) => lines,
                Err(error) => {
                    tracing::warn!(task = id, container = name, %error, "cannot read the container's last output");
                    continue;
                }
            };
            output
                .lines
                .insert(name.clone(), lines.iter().map(|l| failure_report::readable(&l.text)).collect());
        }
        self.store.write(|tx| {
            if tx.has::<Task>(id) {
                tx.put(output);
            }
            Ok(())
        })
    }

    fn progress(&self, id: &str, change: impl FnOnce(&mut TaskProgress)) -> Result<(), StepError> {
        self.store.write(|tx| {
            let mut row = progress_of(tx, id);
            change(&mut row);
            tx.put(row);
            Ok(())
        })
    }
}

/// The task's progress, or an empty row before the first step.
pub(super) fn progress_of(image: &Image, id: &str) -> TaskProgress {
    let begin = || TaskProgress { id: id.into(), ..TaskProgress::default() };
    image.get::<TaskProgress>(id).map_or_else(begin, |row| (*row).clone())
}

/// The target group and the target of a task.
fn target(task: &Task, balancer: &LoadBalancer) -> Option<(String, Target)> {
    let port = i64::from(balancer.container_port?);
    let target = Target { id: task.private_ip, port, availability_zone: None };
    Some((balancer.target_group_arn.as_ref()?.to_string(), target))
}
