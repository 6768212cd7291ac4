//! Tests of the reconcilers on the fake plane: the full life cycle of instances.

use super::{Backups, Executor, Instances, Snapshots, instance::Step};
use crate::{rules, testing::FakeCloud};
use async_trait::async_trait;
use escale_base::{Clock, Timestamp};
use escale_engine::{Plan, Reconciler};
use escale_faults::{
    Driven, Fate, FaultAt, Risky, Stage, survives_failure_at_each_step, survives_repeat,
    survives_withdrawal_at_each_step,
};
use escale_postgres::{FakePostgres, Postgres as _};
use escale_service::Config;
use escale_store::Store;
use escale_tables::rds::{Instance, InstanceSeen, RdsEndpoint, Role, Snapshot};
use serde_json::json;
use std::sync::Arc;

struct Harness {
    cloud: FakeCloud,
    executor: Arc<Executor>,
    all: (Instances, Snapshots, Backups),
    fake: Arc<FakePostgres>,
    clock: Clock,
}

impl Harness {
    fn new() -> Harness {
        Harness::with(Arc::new(FaultAt::never()))
    }

    fn with(fate: Arc<dyn Fate>) -> Harness {
        let cloud = FakeCloud::new();
        let clock = cloud.inner.clock.clone();
        let fake = Arc::new(FakePostgres::new(clock.clone()));
        let plane: Arc<dyn escale_postgres::Postgres> = Risky::new(&fake, &fate);
        let executor =
            Arc::new(Executor::new(cloud.store.clone(), cloud.inner.clone(), clock.clone(), Ok(plane)));
        let all = (Instances(executor.clone()), Snapshots(executor.clone()), Backups(executor.clone()));
        Harness { cloud, executor, all, fake, clock }
    }

    /// Executes steps of all reconcilers until none has one.
    async fn settle(&self) {
        for _ in 0..50 {
            let progress = self.run_steps(&self.all.0).await
                | self.run_steps(&self.all.1).await
                | self.run_steps(&self.all.2).await;
            if !progress {
                return;
            }
        }
        panic!("the reconcilers do not settle");
    }

    async fn run_steps<R: Reconciler>(&self, reconciler: &R) -> bool {
        let mut progress = false;
        let keys = reconciler.all(&self.cloud.store.read());
        for key in keys {
            let plan = reconciler.plan(&self.cloud.store.read(), &key, self.clock.now());
            if let Plan::Step(step) = plan {
                reconciler.act(&key, step).await.unwrap();
                progress = true;
            }
        }
        progress
    }

    fn status(&self, id: &str) -> String {
        let found = self.cloud.call("DescribeDBInstances", json!({"DBInstanceIdentifier": id}));
        match found {
            Ok(found) => found["DBInstances"][0]["DBInstanceStatus"].as_str().unwrap().to_owned(),
            Err(error) => error.code,
        }
    }

    /// `status/primary's zone/standby's zone/whether the standby is normal`.
    fn summary(&self, id: &str) -> String {
        let found = self.cloud.call("DescribeDBInstances", json!({"DBInstanceIdentifier": id})).unwrap();
        let db = &found["DBInstances"][0];
        assert_eq!(db["MultiAZ"], true, "the kind of deployment does not change");
        let zone = |name: &str| db[name].as_str().map_or("none", |z| &z[z.len() - 1..]).to_owned();
        let infos: Vec<bool> = db["StatusInfos"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|i| i["Normal"].as_bool())
            .collect();
        let (primary, standby) = (zone("AvailabilityZone"), zone("SecondaryAvailabilityZone"));
        format!("{}/{primary}/{standby}/{infos:?}", db["DBInstanceStatus"].as_str().unwrap())
    }

    /// The next step of an instance.
    fn next(&self, id: &str) -> Step {
        match Instances(self.executor.clone()).plan(&self.cloud.store.read(), id, self.clock.now()) {
            Plan::Step(step) => step,
            other => panic!("{other:?}"),
        }
    }

    fn seen(&self, id: &str) -> InstanceSeen {
        (*self.cloud.store.read().get::<InstanceSeen>(id).unwrap()).clone()
    }
}

#[async_trait]
impl Stage for Harness {
    fn store(&self) -> &Store {
        &self.cloud.store
    }
    fn clock(&self) -> &Clock {
        &self.clock
    }
    fn reconcilers(&self) -> Vec<&dyn Driven> {
        vec![&self.all.0, &self.all.1, &self.all.2]
    }
    /// Without pids: a restarted server is another process.
    async fn world(&self) -> String {
        let mut seen = Vec::new();
        for name in self.fake.list().await.unwrap() {
            let mut database = self.fake.observe(&name).await.unwrap().unwrap();
            database.nodes.iter_mut().for_each(|n| n.pid = n.pid.map(|_| 0));
            seen.push(database);
        }
        format!("{seen:#?} {:#?}", self.fake.snapshots().await)
    }
}

async fn multi_az_instance_with_backups(fate: Arc<dyn Fate>) -> Harness {
    let harness = Harness::with(fate);
    harness.cloud.create("shop", json!({"MultiAZ": true, "BackupRetentionPeriod": 2})).unwrap();
    harness
}

#[tokio::test]
async fn reconcilers_survive_faults_and_deletion_at_each_step() {
    survives_repeat(multi_az_instance_with_backups).await;
    survives_failure_at_each_step(multi_az_instance_with_backups).await;
    survives_withdrawal_at_each_step(multi_az_instance_with_backups, |harness| {
        let gone = json!({"DBInstanceIdentifier": "shop", "SkipFinalSnapshot": true});
        harness.cloud.call("DeleteDBInstance", gone).unwrap();
    })
    .await;
}

#[tokio::test]
async fn multi_az_instance_is_created_fails_over_and_is_deleted() {
    let harness = Harness::new();
    harness.cloud.create("shop", json!({"MultiAZ": true})).unwrap();
    assert_eq!(harness.status("shop"), "creating");
    harness.settle().await;
    assert_eq!(harness.status("shop"), "available");
    let name = rules::endpoint(&Config::default(), "shop");
    assert!(harness.cloud.store.read().has::<RdsEndpoint>(&name));
    let before = harness.seen("shop").primary;
    harness.clock.advance_ms(1);
    let reboot = json!({"DBInstanceIdentifier": "shop", "ForceFailover": true});
    harness.cloud.call("RebootDBInstance", reboot).unwrap();
    assert_eq!(harness.status("shop"), "rebooting");
    harness.settle().await;
    assert_eq!(harness.status("shop"), "available");
    assert_ne!(harness.seen("shop").primary, before);
    let gone = json!({"DBInstanceIdentifier": "shop", "FinalDBSnapshotIdentifier": "last"});
    harness.cloud.call("DeleteDBInstance", gone).unwrap();
    harness.settle().await;
    assert_eq!(harness.status("shop"), "DBInstanceNotFound");
    assert_eq!(harness.cloud.interfaces(), 0);
    assert!(!harness.cloud.store.read().has::<RdsEndpoint>(&name));
    let kept = harness.cloud.call("DescribeDBSnapshots", json!({"DBSnapshotIdentifier": "last"})).unwrap();
    assert_eq!(kept["DBSnapshots"][0]["Status"], "available");
}

#[tokio::test]
async fn dead_server_is_restarted() {
    let harness = Harness::new();
    harness.cloud.create("shop", json!({})).unwrap();
    harness.settle().await;
    let (seen, wish) = (harness.seen("shop"), harness.cloud.store.read().get::<Instance>("shop").unwrap());
    harness.fake.kill(&super::plane_name(&wish), &seen.primary);
    harness.executor.observe("shop", |_, _, _| {}).await.unwrap();
    assert_eq!(harness.seen("shop").nodes[0].role, Role::Down);
    assert_ne!(harness.status("shop"), "available");
    harness.settle().await;
    assert_eq!(harness.status("shop"), "available");
}

#[tokio::test]
async fn failover_waits_until_a_lost_standby_is_rebuilt() {
    let harness = Harness::new();
    harness.cloud.create("shop", json!({"MultiAZ": true})).unwrap();
    harness.settle().await;
    let (seen, wish) = (harness.seen("shop"), harness.cloud.store.read().get::<Instance>("shop").unwrap());
    harness.clock.advance_ms(1);
    let reboot = json!({"DBInstanceIdentifier": "shop", "ForceFailover": true});
    harness.cloud.call("RebootDBInstance", reboot).unwrap();
    let standby = wish.nodes.iter().find(|n| n.name != seen.primary).unwrap();
    harness.fake.kill(&super::plane_name(&wish), &standby.name);
    harness.executor.observe("shop", |_, _, _| {}).await.unwrap();
    harness.settle().await;
    assert_eq!(
        (harness.status("shop").as_str(), harness.seen("shop").primary),
        ("available", standby.name.clone())
    );
}

#[tokio::test]
async fn instance_stops_starts_and_becomes_single_az() {
    let harness = Harness::new();
    harness.cloud.create("shop", json!({"MultiAZ": true})).unwrap();
    harness.settle().await;
    harness.cloud.call("StopDBInstance", json!({"DBInstanceIdentifier": "shop"})).unwrap();
    assert_eq!(harness.status("shop"), "stopping");
    harness.settle().await;
    assert_eq!(harness.status("shop"), "stopped");
    harness.cloud.call("StartDBInstance", json!({"DBInstanceIdentifier": "shop"})).unwrap();
    assert_eq!(harness.status("shop"), "starting");
    harness.settle().await;
    assert_eq!(harness.status("shop"), "available");
    harness
        .cloud
        .call("ModifyDBInstance", json!({"DBInstanceIdentifier": "shop", "MultiAZ": false}))
        .unwrap();
    assert_eq!(harness.status("shop"), "modifying");
    harness.settle().await;
    assert_eq!((harness.status("shop").as_str(), harness.cloud.interfaces()), ("available", 1));
}

#[tokio::test]
async fn multi_az_instance_is_available_when_its_standby_streams() {
    let harness = Harness::new();
    harness.cloud.create("shop", json!({"MultiAZ": true})).unwrap();
    let Step::Enact { spec, .. } = harness.next("shop") else { panic!("the first step enacts") };
    let mut steps = 0;
    while harness.fake.step(&spec).await.unwrap().is_some() {
        harness.executor.observe("shop", |_, _, _| {}).await.unwrap();
        assert!(harness.summary("shop").starts_with("creating/a/"), "{}", harness.summary("shop"));
        steps += 1;
    }
    assert!(steps > 5);
    harness.settle().await;
    assert_eq!(harness.summary("shop"), "available/a/b/[true]");
}

#[tokio::test]
async fn multi_az_instance_stays_creating_while_a_zone_has_no_power() {
    let harness = Harness::new();
    harness.fake.power_off("eu-west-3b").await.unwrap();
    harness.cloud.create("shop", json!({"MultiAZ": true})).unwrap();
    let error = Instances(harness.executor.clone()).act("shop", harness.next("shop")).await.unwrap_err();
    assert!(error.what.contains("no power"), "{}", error.what);
    assert_eq!(harness.summary("shop"), "creating/a/none/[false]");
    harness.fake.power_on("eu-west-3b").await.unwrap();
    harness.settle().await;
    assert_eq!(harness.summary("shop"), "available/a/b/[true]");
}

#[tokio::test]
async fn added_standby_counts_when_it_streams() {
    let harness = Harness::new();
    harness.cloud.create("shop", json!({})).unwrap();
    harness.settle().await;
    let finished = || {
        let request = json!({"SourceIdentifier": "shop", "SourceType": "db-instance"});
        let answer = harness.cloud.call("DescribeEvents", request).unwrap();
        let messages = answer["Events"].as_array().unwrap().iter().filter_map(|e| e["Message"].as_str());
        messages.filter(|m| m.starts_with("Finished applying modification")).count()
    };
    harness.fake.power_off("eu-west-3b").await.unwrap();
    let pair = json!({"DBInstanceIdentifier": "shop", "MultiAZ": true});
    harness.cloud.call("ModifyDBInstance", pair).unwrap();
    let error = Instances(harness.executor.clone()).act("shop", harness.next("shop")).await.unwrap_err();
    assert!(error.what.contains("no power"), "{}", error.what);
    assert_eq!((harness.summary("shop").as_str(), finished()), ("modifying/a/none/[false]", 0));
    harness.fake.power_on("eu-west-3b").await.unwrap();
    harness.settle().await;
    assert_eq!((harness.summary("shop").as_str(), finished()), ("available/a/b/[true]", 1));

    // A change that adds no standby does not wait for the rebuild of the existing one.
    let wish = harness.cloud.store.read().get::<Instance>("shop").unwrap();
    harness.fake.kill(&super::plane_name(&wish), &wish.nodes[1].name);
    harness.fake.power_off("eu-west-3b").await.unwrap();
    let password = json!({"DBInstanceIdentifier": "shop", "MasterUserPassword": "another-one"});
    harness.cloud.call("ModifyDBInstance", password).unwrap();
    Instances(harness.executor.clone()).act("shop", harness.next("shop")).await.unwrap_err();
    assert_eq!((harness.summary("shop").as_str(), finished()), ("available/a/none/[false]", 2));
}

#[tokio::test]
async fn no_standby_is_reported_during_its_rebuild() {
    let harness = Harness::new();
    harness.cloud.create("shop", json!({"MultiAZ": true})).unwrap();
    harness.settle().await;
    harness.clock.advance_ms(1);
    let reboot = json!({"DBInstanceIdentifier": "shop", "ForceFailover": true});
    harness.cloud.call("RebootDBInstance", reboot).unwrap();
    let step = harness.next("shop");
    assert!(matches!(step, Step::Failover { .. }), "{step:?}");
    Instances(harness.executor.clone()).act("shop", step).await.unwrap();
    assert_eq!(harness.summary("shop"), "available/b/none/[false]");
    harness.settle().await;
    assert_eq!(harness.summary("shop"), "available/b/a/[true]");

    let wish = harness.cloud.store.read().get::<Instance>("shop").unwrap();
    let database = super::plane_name(&wish);
    harness.fake.kill(&database, &wish.nodes[0].name);
    for degraded in [false, true] {
        harness.executor.observe("shop", |_, _, _| {}).await.unwrap();
        assert_eq!(harness.summary("shop"), "available/b/none/[false]", "{degraded}");
        harness.fake.degrade(&database);
    }
    harness.executor.observe("shop", |_, _, _| {}).await.unwrap();
    harness.settle().await;
    assert_eq!(harness.summary("shop"), "available/b/a/[true]");

    harness.cloud.call("StopDBInstance", json!({"DBInstanceIdentifier": "shop"})).unwrap();
    harness.settle().await;
    assert!(harness.summary("shop").starts_with("stopped/b/none/"), "{}", harness.summary("shop"));
}

#[tokio::test]
async fn backups_are_taken_daily_and_expire() {
    let harness = Harness::new();
    harness.cloud.create("shop", json!({"BackupRetentionPeriod": 2})).unwrap();
    let count = || harness.cloud.store.read().scan::<Snapshot>().count();
    harness.settle().await;
    assert_eq!(count(), 1);
    for kept in [2, 2, 2] {
        harness.clock.advance_ms(24 * 3_600_000);
        harness.settle().await;
        assert_eq!(count(), kept);
    }
}

#[tokio::test]
async fn without_a_plane_creation_fails_with_the_reason() {
    let harness = Harness::new();
    let clock = harness.clock.clone();
    let (store, cloud) = (harness.cloud.store.clone(), harness.cloud.inner.clone());
    let executor =
        Arc::new(Executor::new(store, cloud, clock, Err("the user 'postgres' cannot enter /x".into())));
    let reconciler = Instances(executor);
    harness.cloud.create("shop", json!({})).unwrap();
    let step = || match reconciler.plan(&harness.cloud.store.read(), "shop", Timestamp(0)) {
        Plan::Step(step) => step,
        other => panic!("{other:?}"),
    };
    assert!(reconciler.act("shop", step()).await.is_err());
    assert_eq!(harness.status("shop"), "failed");
    let found = harness.cloud.call("DescribeDBInstances", json!({})).unwrap();
    let info = found["DBInstances"][0]["StatusInfos"][0]["Message"].as_str().unwrap().to_owned();
    assert!(info.contains("cannot enter /x"), "{info}");
    harness
        .cloud
        .call("DeleteDBInstance", json!({"DBInstanceIdentifier": "shop", "SkipFinalSnapshot": true}))
        .unwrap();
    reconciler.act("shop", step()).await.unwrap();
    assert_eq!(harness.status("shop"), "DBInstanceNotFound");
}
