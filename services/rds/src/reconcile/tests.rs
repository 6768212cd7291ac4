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
use escale_postgres::{FakePostgres, Fault, Postgres as _};
use escale_service::Config;
use escale_store::Store;
use escale_tables::rds::{Instance, InstanceSeen, RdsEndpoint, Role, Snapshot};
use serde_json::json;
use std::sync::Arc;

pub(crate) struct Fixture {
    pub(crate) cloud: FakeCloud,
    pub(crate) executor: Arc<Executor>,
    all: (Instances, Snapshots, Backups),
    fake: Arc<FakePostgres>,
}

impl Fixture {
    pub(crate) fn new() -> Fixture {
        Fixture::with(Arc::new(FaultAt::never()))
    }

    pub(super) fn with(fate: Arc<dyn Fate>) -> Fixture {
        let cloud = FakeCloud::new();
        let fake = Arc::new(FakePostgres::new(cloud.clock.clone()));
        let plane: Arc<dyn escale_postgres::Postgres> = Risky::new(&fake, &fate);
        let executor = Arc::new(Executor::new(cloud.store.clone(), cloud.cloud.clone(), Ok(plane)));
        let all = (Instances(executor.clone()), Snapshots(executor.clone()), Backups(executor.clone()));
        Fixture { cloud, executor, all, fake }
    }

    /// Executes steps of all reconcilers until none has one.
    pub(crate) async fn settle(&self) {
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

    pub(super) fn fake(&self) -> &FakePostgres {
        &self.fake
    }

    /// As [`Fixture::settle`], on a plane without faults; observes all instances at the end.
    pub(super) async fn prepare(&self) {
        let (store, cloud) = (self.cloud.store.clone(), self.cloud.cloud.clone());
        let calm = Arc::new(Executor::new(store, cloud, Ok(self.fake.clone())));
        let all = (Instances(calm.clone()), Snapshots(calm.clone()), Backups(calm.clone()));
        while self.run_steps(&all.0).await | self.run_steps(&all.1).await | self.run_steps(&all.2).await {}
        let ids = all.0.all(&self.cloud.store.read());
        for id in ids {
            calm.observe(&id, |_, _, _| {}).await.unwrap();
        }
    }

    async fn run_steps<R: Reconciler>(&self, reconciler: &R) -> bool {
        let mut progress = false;
        let keys = reconciler.all(&self.cloud.store.read());
        for key in keys {
            let plan = reconciler.plan(&self.cloud.store.read(), &key, self.cloud.clock.now());
            if let Plan::Step(step) = plan {
                reconciler.act(&key, step).await.unwrap();
                progress = true;
            }
        }
        progress
    }

    /// How many databases the plane has.
    pub(crate) async fn databases(&self) -> usize {
        self.fake.list().await.unwrap().len()
    }

    pub(crate) fn status(&self, id: &str) -> String {
        let found = self.cloud.call("DescribeDBInstances", json!({"DBInstanceIdentifier": id}));
        match found {
            Ok(found) => found["DBInstances"][0]["DBInstanceStatus"].as_str().unwrap().to_owned(),
            Err(error) => error.code,
        }
    }

    /// `status/primary's zone/standby's zone/whether the standby is normal`.
    pub(super) fn summary(&self, id: &str) -> String {
        let found = self.cloud.ok("DescribeDBInstances", json!({"DBInstanceIdentifier": id}));
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

    /// The names of an instance's database and of one of its nodes in the plane.
    fn node(&self, id: &str, index: usize) -> (String, String) {
        let wish = self.cloud.store.read().get::<Instance>(id).unwrap();
        (super::plane_name(&wish), wish.nodes[index].name.clone())
    }

    /// The next step of an instance.
    fn next(&self, id: &str) -> Step {
        match Instances(self.executor.clone()).plan(&self.cloud.store.read(), id, self.cloud.clock.now()) {
            Plan::Step(step) => step,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn seen(&self, id: &str) -> InstanceSeen {
        (*self.cloud.store.read().get::<InstanceSeen>(id).unwrap()).clone()
    }
}

#[async_trait]
impl Stage for Fixture {
    fn store(&self) -> &Store {
        &self.cloud.store
    }
    fn clock(&self) -> &Clock {
        &self.cloud.clock
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

async fn multi_az_instance_with_backups(fate: Arc<dyn Fate>) -> Fixture {
    let fixture = Fixture::with(fate);
    fixture.cloud.create("shop", json!({"MultiAZ": true, "BackupRetentionPeriod": 2})).unwrap();
    fixture
}

#[tokio::test]
async fn reconcilers_survive_faults_and_deletion_at_each_step() {
    survives_repeat(multi_az_instance_with_backups).await;
    survives_failure_at_each_step(multi_az_instance_with_backups).await;
    survives_withdrawal_at_each_step(multi_az_instance_with_backups, |fixture| {
        let gone = json!({"DBInstanceIdentifier": "shop", "SkipFinalSnapshot": true});
        fixture.cloud.ok("DeleteDBInstance", gone);
    })
    .await;
}

#[tokio::test]
async fn multi_az_instance_is_created_fails_over_and_is_deleted() {
    let fixture = Fixture::new();
    fixture.cloud.create("shop", json!({"MultiAZ": true})).unwrap();
    assert_eq!(fixture.status("shop"), "creating");
    fixture.settle().await;
    assert_eq!(fixture.status("shop"), "available");
    let name = rules::endpoint(&Config::default(), "shop");
    assert!(fixture.cloud.store.read().has::<RdsEndpoint>(&name));
    let before = fixture.seen("shop").primary;
    fixture.cloud.clock.advance_ms(1);
    let reboot = json!({"DBInstanceIdentifier": "shop", "ForceFailover": true});
    fixture.cloud.ok("RebootDBInstance", reboot);
    assert_eq!(fixture.status("shop"), "rebooting");
    fixture.settle().await;
    assert_eq!(fixture.status("shop"), "available");
    assert_ne!(fixture.seen("shop").primary, before);
    let gone = json!({"DBInstanceIdentifier": "shop", "FinalDBSnapshotIdentifier": "last"});
    fixture.cloud.ok("DeleteDBInstance", gone);
    fixture.settle().await;
    assert_eq!(fixture.status("shop"), "DBInstanceNotFound");
    assert_eq!(fixture.cloud.interfaces(), 0);
    assert!(!fixture.cloud.store.read().has::<RdsEndpoint>(&name));
    let kept = fixture.cloud.ok("DescribeDBSnapshots", json!({"DBSnapshotIdentifier": "last"}));
    assert_eq!(kept["DBSnapshots"][0]["Status"], "available");
}

#[tokio::test]
async fn dead_server_is_restarted() {
    let fixture = Fixture::new();
    fixture.cloud.create("shop", json!({})).unwrap();
    fixture.settle().await;
    let (seen, wish) = (fixture.seen("shop"), fixture.cloud.store.read().get::<Instance>("shop").unwrap());
    fixture.fake.kill(&super::plane_name(&wish), &seen.primary);
    fixture.executor.observe("shop", |_, _, _| {}).await.unwrap();
    assert_eq!(fixture.seen("shop").nodes[0].role, Role::Down);
    assert_ne!(fixture.status("shop"), "available");
    fixture.settle().await;
    assert_eq!(fixture.status("shop"), "available");
}

#[tokio::test]
async fn lost_primary_is_replaced_and_becomes_the_standby() {
    for fault in [Fault::CannotStart, Fault::Frozen, Fault::DiskStuck, Fault::Cut, Fault::ZoneLost] {
        let fixture = Fixture::new();
        fixture.cloud.create("shop", json!({"MultiAZ": true})).unwrap();
        fixture.settle().await;
        let (database, primary) = fixture.node("shop", 0);
        let row = fixture.fake.write(&database).unwrap();
        fixture.fake.break_node(&database, &primary, fault);
        fixture.executor.observe("shop", |_, _, _| {}).await.unwrap();
        assert_eq!(fixture.summary("shop"), "available/b/none/[false]", "{fault:?}");
        assert!(fixture.fake.rows(&database).contains(&row), "{fault:?}");
        assert!(fixture.fake.write(&database).is_ok(), "{fault:?}");
        fixture.fake.heal(&database, &primary);
        fixture.executor.observe("shop", |_, _, _| {}).await.unwrap();
        fixture.settle().await;
        assert_eq!(fixture.summary("shop"), "available/b/a/[true]", "{fault:?}");
    }
}

#[tokio::test]
async fn failover_can_be_forced_while_the_primary_is_down() {
    let fixture = Fixture::new();
    fixture.cloud.create("shop", json!({"MultiAZ": true})).unwrap();
    fixture.settle().await;
    let (database, primary) = fixture.node("shop", 0);
    fixture.fake.kill(&database, &primary);
    fixture.executor.observe("shop", |_, _, _| {}).await.unwrap();
    assert_eq!(fixture.status("shop"), "rebooting");
    fixture.cloud.clock.advance_ms(1);
    let restart = json!({"DBInstanceIdentifier": "shop"});
    assert_eq!(fixture.cloud.call("RebootDBInstance", restart).unwrap_err().code, "InvalidDBInstanceState");
    fixture.cloud.ok("RebootDBInstance", json!({"DBInstanceIdentifier": "shop", "ForceFailover": true}));
    fixture.settle().await;
    assert_eq!(fixture.summary("shop"), "available/b/a/[true]");
}

#[tokio::test]
async fn failover_waits_until_a_lost_standby_is_rebuilt() {
    let fixture = Fixture::new();
    fixture.cloud.create("shop", json!({"MultiAZ": true})).unwrap();
    fixture.settle().await;
    let (seen, wish) = (fixture.seen("shop"), fixture.cloud.store.read().get::<Instance>("shop").unwrap());
    fixture.cloud.clock.advance_ms(1);
    let reboot = json!({"DBInstanceIdentifier": "shop", "ForceFailover": true});
    fixture.cloud.ok("RebootDBInstance", reboot);
    let standby = wish.nodes.iter().find(|n| n.name != seen.primary).unwrap();
    fixture.fake.kill(&super::plane_name(&wish), &standby.name);
    fixture.executor.observe("shop", |_, _, _| {}).await.unwrap();
    fixture.settle().await;
    assert_eq!(
        (fixture.status("shop").as_str(), fixture.seen("shop").primary),
        ("available", standby.name.clone())
    );
}

#[tokio::test]
async fn forced_failover_ends_although_the_new_primary_has_died() {
    let fixture = Fixture::new();
    fixture.cloud.create("shop", json!({"MultiAZ": true})).unwrap();
    fixture.settle().await;
    fixture.cloud.clock.advance_ms(1);
    fixture.cloud.ok("RebootDBInstance", json!({"DBInstanceIdentifier": "shop", "ForceFailover": true}));
    let ((database, old), (_, new)) = (fixture.node("shop", 0), fixture.node("shop", 1));
    fixture.fake.break_node(&database, &old, Fault::CannotStart);
    fixture.fake.kill(&database, &new);
    fixture.executor.observe("shop", |_, _, _| {}).await.unwrap();
    fixture.fake.heal(&database, &old);
    fixture.settle().await;
    assert_eq!(fixture.summary("shop"), "available/b/a/[true]");
}

#[tokio::test]
async fn instance_stops_starts_and_becomes_single_az() {
    let fixture = Fixture::new();
    fixture.cloud.create("shop", json!({"MultiAZ": true})).unwrap();
    fixture.settle().await;
    fixture.cloud.ok("StopDBInstance", json!({"DBInstanceIdentifier": "shop"}));
    assert_eq!(fixture.status("shop"), "stopping");
    fixture.settle().await;
    assert_eq!(fixture.status("shop"), "stopped");
    fixture.cloud.ok("StartDBInstance", json!({"DBInstanceIdentifier": "shop"}));
    assert_eq!(fixture.status("shop"), "starting");
    fixture.settle().await;
    assert_eq!(fixture.status("shop"), "available");
    fixture
        .cloud
        .call("ModifyDBInstance", json!({"DBInstanceIdentifier": "shop", "MultiAZ": false}))
        .unwrap();
    assert_eq!(fixture.status("shop"), "modifying");
    fixture.settle().await;
    assert_eq!((fixture.status("shop").as_str(), fixture.cloud.interfaces()), ("available", 1));
}

#[tokio::test]
async fn multi_az_instance_is_available_when_its_standby_streams() {
    let fixture = Fixture::new();
    fixture.cloud.create("shop", json!({"MultiAZ": true})).unwrap();
    let Step::Enact { spec, .. } = fixture.next("shop") else { panic!("the first step enacts") };
    let mut steps = 0;
    while fixture.fake.step(&spec).await.unwrap().is_some() {
        fixture.executor.observe("shop", |_, _, _| {}).await.unwrap();
        assert!(fixture.summary("shop").starts_with("creating/a/"), "{}", fixture.summary("shop"));
        steps += 1;
    }
    assert!(steps > 5);
    fixture.settle().await;
    assert_eq!(fixture.summary("shop"), "available/a/b/[true]");
}

#[tokio::test]
async fn multi_az_instance_stays_creating_while_a_zone_has_no_power() {
    let fixture = Fixture::new();
    fixture.cloud.create("shop", json!({"MultiAZ": true})).unwrap();
    let (database, standby) = fixture.node("shop", 1);
    fixture.fake.break_node(&database, &standby, Fault::ZoneLost);
    let error = Instances(fixture.executor.clone()).act("shop", fixture.next("shop")).await.unwrap_err();
    assert!(error.what.contains("ZoneLost"), "{}", error.what);
    assert_eq!(fixture.summary("shop"), "creating/a/none/[false]");
    fixture.fake.heal(&database, &standby);
    fixture.settle().await;
    assert_eq!(fixture.summary("shop"), "available/a/b/[true]");
}

#[tokio::test]
async fn added_standby_counts_when_it_streams() {
    let fixture = Fixture::new();
    fixture.cloud.create("shop", json!({})).unwrap();
    fixture.settle().await;
    let finished = || {
        let request = json!({"SourceIdentifier": "shop", "SourceType": "db-instance"});
        let answer = fixture.cloud.ok("DescribeEvents", request);
        let messages = answer["Events"].as_array().unwrap().iter().filter_map(|e| e["Message"].as_str());
        messages.filter(|m| m.starts_with("Finished applying modification")).count()
    };
    let pair = json!({"DBInstanceIdentifier": "shop", "MultiAZ": true});
    fixture.cloud.ok("ModifyDBInstance", pair);
    let (database, standby) = fixture.node("shop", 1);
    fixture.fake.break_node(&database, &standby, Fault::ZoneLost);
    let error = Instances(fixture.executor.clone()).act("shop", fixture.next("shop")).await.unwrap_err();
    assert!(error.what.contains("ZoneLost"), "{}", error.what);
    assert_eq!((fixture.summary("shop").as_str(), finished()), ("modifying/a/none/[false]", 0));
    fixture.fake.heal(&database, &standby);
    fixture.settle().await;
    assert_eq!((fixture.summary("shop").as_str(), finished()), ("available/a/b/[true]", 1));

    // A change of the primary counts although the standby cannot start.
    fixture.fake.break_node(&database, &standby, Fault::CannotStart);
    let password = json!({"DBInstanceIdentifier": "shop", "MasterUserPassword": "another-one"});
    fixture.cloud.ok("ModifyDBInstance", password);
    Instances(fixture.executor.clone()).act("shop", fixture.next("shop")).await.unwrap_err();
    assert_eq!((fixture.summary("shop").as_str(), finished()), ("available/a/none/[false]", 2));
    fixture.fake.heal(&database, &standby);
    fixture.settle().await;
    assert_eq!((fixture.summary("shop").as_str(), finished()), ("available/a/b/[true]", 2));
}

#[tokio::test]
async fn no_standby_is_reported_during_its_rebuild() {
    let fixture = Fixture::new();
    fixture.cloud.create("shop", json!({"MultiAZ": true})).unwrap();
    fixture.settle().await;
    fixture.cloud.clock.advance_ms(1);
    let reboot = json!({"DBInstanceIdentifier": "shop", "ForceFailover": true});
    fixture.cloud.ok("RebootDBInstance", reboot);
    let step = fixture.next("shop");
    assert!(matches!(step, Step::Failover { .. }), "{step:?}");
    Instances(fixture.executor.clone()).act("shop", step).await.unwrap();
    assert_eq!(fixture.summary("shop"), "available/b/none/[false]");
    fixture.settle().await;
    assert_eq!(fixture.summary("shop"), "available/b/a/[true]");

    let wish = fixture.cloud.store.read().get::<Instance>("shop").unwrap();
    let database = super::plane_name(&wish);
    fixture.fake.kill(&database, &wish.nodes[0].name);
    for degraded in [false, true] {
        fixture.executor.observe("shop", |_, _, _| {}).await.unwrap();
        assert_eq!(fixture.summary("shop"), "available/b/none/[false]", "{degraded}");
        fixture.fake.degrade(&database);
    }
    fixture.executor.observe("shop", |_, _, _| {}).await.unwrap();
    fixture.settle().await;
    assert_eq!(fixture.summary("shop"), "available/b/a/[true]");

    fixture.cloud.ok("StopDBInstance", json!({"DBInstanceIdentifier": "shop"}));
    fixture.settle().await;
    assert!(fixture.summary("shop").starts_with("stopped/b/none/"), "{}", fixture.summary("shop"));
}

#[tokio::test]
async fn backups_are_taken_daily_and_expire() {
    let fixture = Fixture::new();
    fixture.cloud.create("shop", json!({"BackupRetentionPeriod": 2})).unwrap();
    let count = || fixture.cloud.store.read().scan::<Snapshot>().count();
    fixture.settle().await;
    assert_eq!(count(), 1);
    // The newest one from before the retention period stays: its first day could not be restored otherwise.
    for kept in [2, 3, 3] {
        fixture.cloud.clock.advance_ms(24 * 3_600_000);
        fixture.settle().await;
        assert_eq!(count(), kept);
    }
}

#[tokio::test]
async fn without_a_plane_creation_fails_with_the_reason() {
    let fixture = Fixture::new();
    let (store, cloud) = (fixture.cloud.store.clone(), fixture.cloud.cloud.clone());
    let executor = Arc::new(Executor::new(store, cloud, Err("the user 'postgres' cannot enter /x".into())));
    let reconciler = Instances(executor);
    fixture.cloud.create("shop", json!({})).unwrap();
    let step = || match reconciler.plan(&fixture.cloud.store.read(), "shop", Timestamp(0)) {
        Plan::Step(step) => step,
        other => panic!("{other:?}"),
    };
    assert!(reconciler.act("shop", step()).await.is_err());
    assert_eq!(fixture.status("shop"), "failed");
    let found = fixture.cloud.ok("DescribeDBInstances", json!({}));
    let info = found["DBInstances"][0]["StatusInfos"][0]["Message"].as_str().unwrap().to_owned();
    assert!(info.contains("cannot enter /x"), "{info}");
    fixture
        .cloud
        .call("DeleteDBInstance", json!({"DBInstanceIdentifier": "shop", "SkipFinalSnapshot": true}))
        .unwrap();
    reconciler.act("shop", step()).await.unwrap();
    assert_eq!(fixture.status("shop"), "DBInstanceNotFound");
}
