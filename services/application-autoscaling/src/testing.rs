//! A cloud for tests: a service of ECS whose tasks run at once, CloudWatch's alarms as rows, and IAM's role.

use crate::{ApplicationAutoScaling, Error};
use escale_base::{AwsError, Timestamp};
use escale_faults::{Fate, FaultAt};
use escale_harness::Harness;
use escale_requests::{
    cloudwatch::{DeleteAlarms, PutMetricAlarm},
    ecs::{CountedService, UpdateService, UpdatedService},
    iam::{CreateServiceLinkedRole, CreatedRole, LinkedRole},
};
use escale_service::{Cx, Entry, Operation, Service as AwsService};
use escale_tables::{
    autoscaling::{Activity, TargetProgress},
    cloudwatch::{Actions, Alarm, AlarmInvocation, AlarmName, AlarmSeen, Metric, Rule, StateValue, Watch},
    ecs::*,
};
use serde_json::json;
use std::{cell::RefCell, sync::Arc};

pub(crate) const RESOURCE: &str = "service/shop/web";
const KEY: &str = "shop/web";

thread_local! {
    /// Decides which calls of ECS fail.
    static FATE: RefCell<Arc<dyn Fate>> = RefCell::new(Arc::new(FaultAt::never()));
}

/// Declares a fake of a service with one operation, `Request => Answer`.
macro_rules! fake {
    ($service:ident $id:literal; $name:ident => $answer:ty, $run:expr) => {
        struct $service;
        impl AwsService for $service {
            fn id(&self) -> &'static str {
                $id
            }
            fn operations(&self) -> Vec<Entry> {
                struct Fake;
                impl Operation for Fake {
                    type Input = $name;
                    type Output = $answer;
                    type Error = AwsError;
                    fn run(cx: &mut Cx<'_>, input: $name) -> Result<$answer, AwsError> {
                        let run: fn(&mut Cx<'_>, $name) -> Result<$answer, AwsError> = $run;
                        run(cx, input)
                    }
                }
                vec![Entry::of::<Fake>(stringify!($name))]
            }
        }
    };
}

fake! { FakeEcs "ecs";
    UpdateService => UpdatedService, |cx, input| {
        if FATE.with_borrow(|fate| fate.fails("ecs UpdateService", false)) {
            return Err(AwsError::internal());
        }
        let key = format!("{}/{}", input.cluster, input.service);
        let changed = cx.tx.update(&key, |service: &mut Service| service.desired = input.desired_count);
        changed.ok_or_else(|| Error::NotFound(key.clone()))?;
        if FATE.with_borrow(|fate| fate.fails("ecs UpdateService", true)) {
            return Err(AwsError::internal());
        }
        Ok(UpdatedService { service: CountedService { desired_count: input.desired_count } })
    }
}

fake! { FakeIam "iam";
    CreateServiceLinkedRole => CreatedRole, |_cx, input| {
        Ok(CreatedRole { role: LinkedRole { arn: input.service } })
    }
}

/// The two operations on alarms, as rows.
struct FakeCloudWatch;

struct Put;
impl Operation for Put {
    type Input = PutMetricAlarm;
    type Output = ();
    type Error = AwsError;
    fn run(cx: &mut Cx<'_>, input: PutMetricAlarm) -> Result<(), AwsError> {
        let metric = Metric {
            namespace: input.namespace,
            metric_name: input.metric_name,
            dimensions: input.dimensions,
        };
        let single = |period_secs| Watch::Metric {
            metric,
            statistic: input.statistic,
            extended: None,
            unit: input.unit,
            period_secs,
        };
        let watch = input.period.map_or(Watch::Queries(input.metrics), single);
        let alarm = alarm(&input.alarm_name, input.alarm_actions, input.threshold);
        let rule = Rule {
            comparison: input.comparison_operator,
            evaluation_periods: input.evaluation_periods,
            ..alarm.rule
        };
        cx.tx.put(Alarm { description: Some(input.alarm_description), watch, rule, ..alarm });
        Ok(())
    }
}

struct Delete;
impl Operation for Delete {
    type Input = DeleteAlarms;
    type Output = ();
    type Error = AwsError;
    fn run(cx: &mut Cx<'_>, input: DeleteAlarms) -> Result<(), AwsError> {
        for name in input.alarm_names {
            cx.tx.delete::<Alarm>(&name);
            cx.tx.delete::<AlarmInvocation>(&name);
        }
        Ok(())
    }
}

impl AwsService for FakeCloudWatch {
    fn id(&self) -> &'static str {
        "cloudwatch"
    }
    fn operations(&self) -> Vec<Entry> {
        vec![Entry::of::<Put>("PutMetricAlarm"), Entry::of::<Delete>("DeleteAlarms")]
    }
}

pub(crate) fn alarm(name: &str, actions: Vec<String>, threshold: f64) -> Alarm {
    Alarm {
        name: name.into(),
        description: None,
        actions_enabled: true,
        actions: Actions { alarm: actions, ..Actions::default() },
        watch: Watch::Queries(vec![]),
        rule: Rule {
            comparison: escale_tables::cloudwatch::ComparisonOperator::Greater,
            threshold,
            evaluation_periods: 1,
            datapoints_to_alarm: None,
            missing: None,
            low_samples: None,
        },
        tags: vec![],
        created: Timestamp(0),
        updated: Timestamp(0),
    }
}

pub(crate) struct Shop {
    pub(crate) harness: Harness,
}

impl Shop {
    /// With a service that runs this many tasks.
    pub(crate) fn running(count: u32) -> Shop {
        Shop::with(count, Arc::new(FaultAt::never()))
    }

    pub(crate) fn with(count: u32, fate: Arc<dyn Fate>) -> Shop {
        FATE.set(fate);
        let services: Vec<Arc<dyn AwsService>> = vec![
            Arc::new(ApplicationAutoScaling),
            Arc::new(FakeEcs),
            Arc::new(FakeIam),
            Arc::new(FakeCloudWatch),
        ];
        let shop = Shop { harness: Harness::new(services) };
        shop.harness.write(|tx| tx.put(service(count)));
        shop.run_tasks(count);
        shop
    }

    pub(crate) fn register(&self, min: u32, max: u32) {
        let limits = json!({"MinCapacity": min, "MaxCapacity": max});
        self.call("RegisterScalableTarget", limits);
    }

    /// An operation on the scalable target.
    pub(crate) fn call(&self, operation: &str, mut input: serde_json::Value) -> serde_json::Value {
        input["ServiceNamespace"] = "ecs".into();
        input["ResourceId"] = RESOURCE.into();
        input["ScalableDimension"] = "ecs:service:DesiredCount".into();
        self.harness.ok(operation, input)
    }

    /// A policy that keeps CPU at 50 %, with its upper and lower alarm.
    pub(crate) fn track(&self, name: &str) -> (AlarmName, AlarmName) {
        let configuration = json!({"TargetValue": 50, "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}});
        let input = json!({"PolicyName": name, "PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": configuration});
        let put = self.call("PutScalingPolicy", input);
        let name = |i: usize| put["Alarms"][i]["AlarmName"].as_str().unwrap().into();
        (name(0), name(1))
    }

    /// The alarm enters or repeats ALARM.
    pub(crate) fn invoke(&self, name: &AlarmName, value: f64) {
        let at = self.harness.clock.now();
        self.harness.write(|tx| {
            tx.put(AlarmSeen {
                name: name.clone(),
                state: StateValue::Alarm,
                reason: String::new(),
                reason_data: None,
                updated: at,
                transitioned: at,
            });
            tx.put(AlarmInvocation {
                name: name.clone(),
                at,
                state: StateValue::Alarm,
                values: vec![0.0, value],
            });
        });
    }

    pub(crate) fn desired(&self) -> u32 {
        self.harness.store.read().get::<Service>(KEY).unwrap().desired
    }

    /// As many tasks of the service run as it wants.
    pub(crate) fn run_tasks(&self, count: u32) {
        self.harness.write(|tx| {
            let row = tx.get::<Service>(KEY).unwrap();
            let old: Vec<Arc<Task>> = tx.scan::<Task>().collect();
            for task in old {
                tx.delete::<Task>(&task.id);
            }
            for number in 0..count {
                let id = TaskId(format!("{number}"));
                tx.put(TaskSeen {
                    id: id.clone(),
                    phase: Phase::Running,
                    started: Some(Timestamp(0)),
                    stopping: None,
                    ended: None,
                    why: None,
                    containers: Default::default(),
                });
                tx.put(task(&row, id));
            }
        });
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Service)) {
        self.harness.write(|tx| tx.update(KEY, change));
    }

    /// Description, status and cause of the activities, the oldest first.
    pub(crate) fn activities(&self) -> Vec<String> {
        let image = self.harness.store.read();
        let line = |a: Arc<Activity>| match a.not_scaled {
            Some(why) => format!("{} {} {}: {}", a.status, why.code, why.capacity, a.cause),
            None => format!("{} {}: {}", a.status, a.description, a.cause),
        };
        let mut all: Vec<Arc<Activity>> = image.scan::<Activity>().collect();
        all.sort_by_key(|a| a.started);
        all.into_iter().map(line).collect()
    }

    pub(crate) fn progress(&self) -> Option<Arc<TargetProgress>> {
        self.harness.store.read().get::<TargetProgress>(RESOURCE)
    }
}

fn service(desired: u32) -> Service {
    let deployment = Deployment {
        id: "ecs-svc/1".into(),
        family: "web".into(),
        revision: 1,
        network: AwsVpc { subnets: vec![], security_groups: vec![], assign_public_ip: None },
        load_balancers: vec![],
        is_on_alternate: false,
        traffic: None,
        service_registries: vec![],
        launch: Launch::Fargate,
        platform_version: PlatformVersion::ALL[0],
        created: Timestamp(0),
        updated: Timestamp(0),
        outcome: Outcome::Completed,
        reason: String::new(),
        images: Default::default(),
        baking: None,
        is_rollback: false,
    };
    Service {
        cluster: "shop".into(),
        name: "web".into(),
        desired,
        minimum_percent: 100,
        maximum_percent: 200,
        circuit_breaker: false,
        threshold: None,
        alarms: None,
        traffic: None,
        last_failed: None,
        rollback: false,
        grace_secs: None,
        rebalance: false,
        managed_tags: false,
        execute_command: false,
        propagate_tags: PropagateTags::None,
        monitoring: vec![],
        deployments: vec![deployment],
        deleted: None,
        created_by: "root".into(),
        tags: vec![],
        created: Timestamp(0),
    }
}

fn task(service: &Service, id: TaskId) -> Task {
    let deployment = &service.deployments[0];
    Task {
        id,
        cluster: service.cluster.clone(),
        family: deployment.family.clone(),
        revision: deployment.revision,
        group: "service:web".into(),
        started_by: None,
        service: Some(TaskOfService { key: KEY.into(), deployment: deployment.id.clone() }),
        capacity_provider: None,
        platform_version: deployment.platform_version,
        vpc: "vpc-1".into(),
        subnet: "subnet-1".into(),
        zone: "a".into(),
        interface: "eni-1".into(),
        private_ip: std::net::Ipv4Addr::LOCALHOST,
        allocation: None,
        overrides: Default::default(),
        credentials_id: "".into(),
        execute_command: false,
        protected_until: None,
        client_token: None,
        stop: None,
        tags: vec![],
        created: Timestamp(0),
    }
}
