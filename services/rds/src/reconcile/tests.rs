//! The reconcilers on the plane's fake: whole lives of instances.

use super::{Backups, Hands, Instances, Snapshots, instance::Step};
use crate::{rules, testing::World};
use async_trait::async_trait;
use escale_base::{Clock, Timestamp};
use escale_engine::{Plan, Reconciler};
use escale_faults::{
    Driven, Fate, FaultAt, Risky, Stage, survives_failure_at_each_step, survives_regret_at_each_step,
    survives_repeat,
};
use escale_postgres::{FakePostgres, Postgres as _};
use escale_service::Config;
use escale_store::Store;
use escale_tables::rds::{Instance, InstanceSeen, RdsEndpoint, Role, Snapshot};
use serde_json::json;
use std::sync::Arc;

struct Life {
    world: World,
    hands: Arc<Hands>,
    all: (Instances, Snapshots, Backups),
    fake: Arc<FakePostgres>,
    clock: Clock,
}

impl Life {
    fn new() -> Life {
        Life::with(Arc::new(FaultAt::never()))
    }

    fn with(fate: Arc<dyn Fate>) -> Life {
        let world = World::new();
        let clock = world.cloud.clock.clone();
        let fake = Arc::new(FakePostgres::new(clock.clone()));
        let plane: Arc<dyn escale_postgres::Postgres> = Risky::new(&fake, &fate);
        let hands = Arc::new(Hands::new(world.store.clone(), world.cloud.clone(), clock.clone(), Ok(plane)));
        let all = (Instances(hands.clone()), Snapshots(hands.clone()), Backups(hands.clone()));
        Life { world, hands, all, fake, clock }
    }

    /// Takes all steps of all reconcilers.
    async fn settle(&self) {
        for _ in 0..50 {
            let did = self.go(&self.all.0).await | self.go(&self.all.1).await | self.go(&self.all.2).await;
            if !did {
                return;
            }
        }
        panic!("it does not come to rest");
    }

    async fn go<R: Reconciler>(&self, reconciler: &R) -> bool {
        let mut did = false;
        let keys = reconciler.all(&self.world.store.read());
        for key in keys {
            let plan = reconciler.plan(&self.world.store.read(), &key, self.clock.now());
            if let Plan::Step(step) = plan {
                reconciler.act(&key, step).await.unwrap();
                did = true;
            }
        }
        did
    }

    fn status(&self, id: &str) -> String {
        let found = self.world.call("DescribeDBInstances", json!({"DBInstanceIdentifier": id}));
        match found {
            Ok(found) => found["DBInstances"][0]["DBInstanceStatus"].as_str().unwrap().to_owned(),
            Err(error) => error.code,
        }
    }

    /// As `status/primary's zone/standby's zone/is the standby well`.
    fn shown(&self, id: &str) -> String {
        let found = self.world.call("DescribeDBInstances", json!({"DBInstanceIdentifier": id})).unwrap();
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

    /// The step that an instance needs now.
    fn next(&self, id: &str) -> Step {
        match Instances(self.hands.clone()).plan(&self.world.store.read(), id, self.clock.now()) {
            Plan::Step(step) => step,
            other => panic!("{other:?}"),
        }
    }

    fn seen(&self, id: &str) -> InstanceSeen {
        (*self.world.store.read().get::<InstanceSeen>(id).unwrap()).clone()
    }
}

#[async_trait]
impl Stage for Life {
    fn store(&self) -> &Store {
        &self.world.store
    }
    fn clock(&self) -> &Clock {
        &self.clock
    }
    fn reconcilers(&self) -> Vec<&dyn Driven> {
        vec![&self.all.0, &self.all.1, &self.all.2]
    }
    /// Without pids: a server that is started once more is another process.
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

async fn a_pair_with_backups(fate: Arc<dyn Fate>) -> Life {
    let life = Life::with(fate);
    life.world.create("shop", json!({"MultiAZ": true, "BackupRetentionPeriod": 2})).unwrap();
    life
}

#[tokio::test]
async fn survives() {
    survives_repeat(a_pair_with_backups).await;
    survives_failure_at_each_step(a_pair_with_backups).await;
    survives_regret_at_each_step(a_pair_with_backups, |life| {
        let gone = json!({"DBInstanceIdentifier": "shop", "SkipFinalSnapshot": true});
        life.world.call("DeleteDBInstance", gone).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_pair_is_made_fails_over_and_goes() {
    let life = Life::new();
    life.world.create("shop", json!({"MultiAZ": true})).unwrap();
    assert_eq!(life.status("shop"), "creating");
    life.settle().await;
    assert_eq!(life.status("shop"), "available");
    let name = rules::endpoint(&Config::default(), "shop");
    assert!(life.world.store.read().has::<RdsEndpoint>(&name));
    let before = life.seen("shop").primary;
    life.clock.advance_ms(1);
    let reboot = json!({"DBInstanceIdentifier": "shop", "ForceFailover": true});
    life.world.call("RebootDBInstance", reboot).unwrap();
    assert_eq!(life.status("shop"), "rebooting");
    life.settle().await;
    assert_eq!(life.status("shop"), "available");
    assert_ne!(life.seen("shop").primary, before);
    let gone = json!({"DBInstanceIdentifier": "shop", "FinalDBSnapshotIdentifier": "last"});
    life.world.call("DeleteDBInstance", gone).unwrap();
    life.settle().await;
    assert_eq!(life.status("shop"), "DBInstanceNotFound");
    assert_eq!(life.world.interfaces(), 0);
    assert!(!life.world.store.read().has::<RdsEndpoint>(&name));
    let kept = life.world.call("DescribeDBSnapshots", json!({"DBSnapshotIdentifier": "last"})).unwrap();
    assert_eq!(kept["DBSnapshots"][0]["Status"], "available");
}

#[tokio::test]
async fn a_dead_server_comes_back() {
    let life = Life::new();
    life.world.create("shop", json!({})).unwrap();
    life.settle().await;
    let (seen, wish) = (life.seen("shop"), life.world.store.read().get::<Instance>("shop").unwrap());
    life.fake.kill(&super::plane_name(&wish), &seen.primary);
    life.hands.look("shop", |_, _, _| {}).await.unwrap();
    assert_eq!(life.seen("shop").nodes[0].role, Role::Down);
    assert_ne!(life.status("shop"), "available");
    life.settle().await;
    assert_eq!(life.status("shop"), "available");
}

#[tokio::test]
async fn a_failover_waits_for_the_standby_that_was_lost_meanwhile() {
    let life = Life::new();
    life.world.create("shop", json!({"MultiAZ": true})).unwrap();
    life.settle().await;
    let (seen, wish) = (life.seen("shop"), life.world.store.read().get::<Instance>("shop").unwrap());
    life.clock.advance_ms(1);
    let reboot = json!({"DBInstanceIdentifier": "shop", "ForceFailover": true});
    life.world.call("RebootDBInstance", reboot).unwrap();
    let standby = wish.nodes.iter().find(|n| n.name != seen.primary).unwrap();
    life.fake.kill(&super::plane_name(&wish), &standby.name);
    life.hands.look("shop", |_, _, _| {}).await.unwrap();
    life.settle().await;
    assert_eq!(
        (life.status("shop").as_str(), life.seen("shop").primary),
        ("available", standby.name.clone())
    );
}

#[tokio::test]
async fn stops_starts_and_loses_its_standby() {
    let life = Life::new();
    life.world.create("shop", json!({"MultiAZ": true})).unwrap();
    life.settle().await;
    life.world.call("StopDBInstance", json!({"DBInstanceIdentifier": "shop"})).unwrap();
    assert_eq!(life.status("shop"), "stopping");
    life.settle().await;
    assert_eq!(life.status("shop"), "stopped");
    life.world.call("StartDBInstance", json!({"DBInstanceIdentifier": "shop"})).unwrap();
    assert_eq!(life.status("shop"), "starting");
    life.settle().await;
    assert_eq!(life.status("shop"), "available");
    life.world.call("ModifyDBInstance", json!({"DBInstanceIdentifier": "shop", "MultiAZ": false})).unwrap();
    assert_eq!(life.status("shop"), "modifying");
    life.settle().await;
    assert_eq!((life.status("shop").as_str(), life.world.interfaces()), ("available", 1));
}

#[tokio::test]
async fn a_pair_is_not_available_before_its_standby_streams() {
    let life = Life::new();
    life.world.create("shop", json!({"MultiAZ": true})).unwrap();
    let Step::Enact { spec, .. } = life.next("shop") else { panic!("it is made") };
    let mut steps = 0;
    while life.fake.step(&spec).await.unwrap().is_some() {
        life.hands.look("shop", |_, _, _| {}).await.unwrap();
        assert!(life.shown("shop").starts_with("creating/a/"), "{}", life.shown("shop"));
        steps += 1;
    }
    assert!(steps > 5);
    life.settle().await;
    assert_eq!(life.shown("shop"), "available/a/b/[true]");
}

#[tokio::test]
async fn a_pair_whose_second_zone_is_dark_stays_in_the_making() {
    let life = Life::new();
    life.fake.power_off("eu-west-3b").await.unwrap();
    life.world.create("shop", json!({"MultiAZ": true})).unwrap();
    let error = Instances(life.hands.clone()).act("shop", life.next("shop")).await.unwrap_err();
    assert!(error.what.contains("no power"), "{}", error.what);
    assert_eq!(life.shown("shop"), "creating/a/none/[false]");
    life.fake.power_on("eu-west-3b").await.unwrap();
    life.settle().await;
    assert_eq!(life.shown("shop"), "available/a/b/[true]");
}

#[tokio::test]
async fn a_standby_that_is_asked_for_later_is_added_when_it_streams() {
    let life = Life::new();
    life.world.create("shop", json!({})).unwrap();
    life.settle().await;
    let finished = || {
        let asked = json!({"SourceIdentifier": "shop", "SourceType": "db-instance"});
        let told = life.world.call("DescribeEvents", asked).unwrap();
        let messages = told["Events"].as_array().unwrap().iter().filter_map(|e| e["Message"].as_str());
        messages.filter(|m| m.starts_with("Finished applying modification")).count()
    };
    life.fake.power_off("eu-west-3b").await.unwrap();
    let pair = json!({"DBInstanceIdentifier": "shop", "MultiAZ": true});
    life.world.call("ModifyDBInstance", pair).unwrap();
    let error = Instances(life.hands.clone()).act("shop", life.next("shop")).await.unwrap_err();
    assert!(error.what.contains("no power"), "{}", error.what);
    assert_eq!((life.shown("shop").as_str(), finished()), ("modifying/a/none/[false]", 0));
    life.fake.power_on("eu-west-3b").await.unwrap();
    life.settle().await;
    assert_eq!((life.shown("shop").as_str(), finished()), ("available/a/b/[true]", 1));

    // A change that adds none does not wait for the one that is rebuilt.
    let wish = life.world.store.read().get::<Instance>("shop").unwrap();
    life.fake.kill(&super::plane_name(&wish), &wish.nodes[1].name);
    life.fake.power_off("eu-west-3b").await.unwrap();
    let password = json!({"DBInstanceIdentifier": "shop", "MasterUserPassword": "another-one"});
    life.world.call("ModifyDBInstance", password).unwrap();
    Instances(life.hands.clone()).act("shop", life.next("shop")).await.unwrap_err();
    assert_eq!((life.shown("shop").as_str(), finished()), ("available/a/none/[false]", 2));
}

#[tokio::test]
async fn while_the_standby_is_rebuilt_none_is_shown() {
    let life = Life::new();
    life.world.create("shop", json!({"MultiAZ": true})).unwrap();
    life.settle().await;
    life.clock.advance_ms(1);
    let reboot = json!({"DBInstanceIdentifier": "shop", "ForceFailover": true});
    life.world.call("RebootDBInstance", reboot).unwrap();
    let step = life.next("shop");
    assert!(matches!(step, Step::Failover { .. }), "{step:?}");
    Instances(life.hands.clone()).act("shop", step).await.unwrap();
    assert_eq!(life.shown("shop"), "available/b/none/[false]");
    life.settle().await;
    assert_eq!(life.shown("shop"), "available/b/a/[true]");

    let wish = life.world.store.read().get::<Instance>("shop").unwrap();
    let database = super::plane_name(&wish);
    life.fake.kill(&database, &wish.nodes[0].name);
    for degraded in [false, true] {
        life.hands.look("shop", |_, _, _| {}).await.unwrap();
        assert_eq!(life.shown("shop"), "available/b/none/[false]", "{degraded}");
        life.fake.degrade(&database);
    }
    life.hands.look("shop", |_, _, _| {}).await.unwrap();
    life.settle().await;
    assert_eq!(life.shown("shop"), "available/b/a/[true]");

    life.world.call("StopDBInstance", json!({"DBInstanceIdentifier": "shop"})).unwrap();
    life.settle().await;
    assert!(life.shown("shop").starts_with("stopped/b/none/"), "{}", life.shown("shop"));
}

#[tokio::test]
async fn backups_come_daily_and_go() {
    let life = Life::new();
    life.world.create("shop", json!({"BackupRetentionPeriod": 2})).unwrap();
    let count = || life.world.store.read().scan::<Snapshot>().count();
    life.settle().await;
    assert_eq!(count(), 1);
    for kept in [2, 2, 2] {
        life.clock.advance_ms(24 * 3_600_000);
        life.settle().await;
        assert_eq!(count(), kept);
    }
}

#[tokio::test]
async fn without_a_plane_the_reason_is_told() {
    let life = Life::new();
    let clock = life.clock.clone();
    let (store, cloud) = (life.world.store.clone(), life.world.cloud.clone());
    let hands = Arc::new(Hands::new(store, cloud, clock, Err("the user 'postgres' cannot enter /x".into())));
    let reconciler = Instances(hands);
    life.world.create("shop", json!({})).unwrap();
    let step = || match reconciler.plan(&life.world.store.read(), "shop", Timestamp(0)) {
        Plan::Step(step) => step,
        other => panic!("{other:?}"),
    };
    assert!(reconciler.act("shop", step()).await.is_err());
    assert_eq!(life.status("shop"), "failed");
    let found = life.world.call("DescribeDBInstances", json!({})).unwrap();
    let info = found["DBInstances"][0]["StatusInfos"][0]["Message"].as_str().unwrap().to_owned();
    assert!(info.contains("cannot enter /x"), "{info}");
    life.world
        .call("DeleteDBInstance", json!({"DBInstanceIdentifier": "shop", "SkipFinalSnapshot": true}))
        .unwrap();
    reconciler.act("shop", step()).await.unwrap();
    assert_eq!(life.status("shop"), "DBInstanceNotFound");
}
