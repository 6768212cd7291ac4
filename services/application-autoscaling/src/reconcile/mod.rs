//! Scales one service at a time: enacts what `next` decides, each time in one transaction.

mod enact;
mod next;
mod situation;

use crate::rules::{PRINCIPAL, resource_of_policy};
use escale_base::{AwsError, Timestamp};
use escale_engine::{Plan, Reconciler, StepError};
use escale_service::{Caller, Cloud};
use escale_store::{Change, Image, Row, Store};
use escale_tables::{
    autoscaling::{Policy, ResourceId, ScalableTarget, ScheduledAction},
    cloudwatch::{Alarm, AlarmInvocation},
    ecs::{Service, Task, TaskProgress, TaskSeen},
};
pub(crate) use next::Next;
pub(crate) use situation::missing_tasks;
use std::{collections::BTreeSet, sync::Arc};

pub(crate) struct Targets {
    pub(crate) store: Store,
    pub(crate) cloud: Arc<Cloud>,
}

impl Reconciler for Targets {
    type Step = Next;
    const NAME: &'static str = "application-autoscaling.targets";
    const WATCHES: &'static [&'static str] = &[
        ScalableTarget::TABLE,
        Policy::TABLE,
        ScheduledAction::TABLE,
        AlarmInvocation::TABLE,
        Service::TABLE,
        Task::TABLE,
        TaskProgress::TABLE,
        TaskSeen::TABLE,
    ];

    fn concerned(&self, image: &Image, change: &Change) -> BTreeSet<String> {
        let of_service = |key: &str| BTreeSet::from([format!("service/{key}")]);
        match change.table {
            ScalableTarget::TABLE => BTreeSet::from([change.key.clone()]),
            Policy::TABLE | ScheduledAction::TABLE => {
                let resource = change.key.split_once('|').map(|(resource, _)| resource.to_owned());
                resource.into_iter().collect()
            }
            AlarmInvocation::TABLE => {
                let alarm = image.get::<Alarm>(&change.key);
                let arns = alarm.iter().flat_map(|alarm| alarm.actions.all());
                arns.filter_map(|arn| resource_of_policy(arn)).map(|resource| resource.to_string()).collect()
            }
            Service::TABLE => of_service(&change.key),
            _ => {
                let service = image.get::<Task>(&change.key).and_then(|task| task.service.clone());
                service.map(|service| of_service(&service.key)).unwrap_or_default()
            }
        }
    }

    fn all(&self, image: &Image) -> BTreeSet<String> {
        image.scan::<ScalableTarget>().map(|target| target.key()).collect()
    }

    fn plan(&self, image: &Image, key: &str, now: Timestamp) -> Plan<Next> {
        let resource = ResourceId::from(key);
        match next::next(image, &resource, now, self.cloud.config.clock_speed) {
            Next::Wait(None) => Plan::Done,
            Next::Wait(Some(until)) => Plan::wait_until(until, "no scheduled action is due"),
            next => Plan::Step(next),
        }
    }

    async fn act(&self, key: &str, step: Next) -> Result<(), StepError> {
        let (resource, speed) = (ResourceId::from(key), self.cloud.config.clock_speed);
        let done = self.cloud.transact(&self.store, &Caller::service(PRINCIPAL), |cx| {
            // Rows may have changed since the plan. If the decision is another one now, the engine plans again.
            if next::next(cx.tx, &resource, cx.now, speed) == step {
                enact::enact(cx, &resource, step).map_err(AwsError::from)?;
            }
            Ok(())
        });
        done.map_err(|failed| failed.0.into())
    }
}

#[cfg(test)]
mod tests;
