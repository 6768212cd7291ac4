//! Tests that need real servers.

use crate::common::*;
use escale_base::{Secret, error::Fault};
use escale_postgres::*;
use std::{
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

pub(crate) async fn seen(plane: &dyn Postgres, spec: &DatabaseSpec) -> Observed {
    plane.observe(&spec.name).await.unwrap().unwrap()
}

fn kill_9(pid: u32) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), nix::sys::signal::Signal::SIGKILL)
        .unwrap();
}

/// Ensures the spec, and prints the duration of each step.
async fn timed(plane: &dyn Postgres, spec: &DatabaseSpec) {
    let mut steps = String::new();
    loop {
        let t = Instant::now();
        let Some(step) = plane.step(spec).await.unwrap() else { break };
        steps += &format!("{step:?} {} ms, ", t.elapsed().as_millis());
    }
    println!("{steps}");
}

/// Writes through TCP without a pause to the node that accepts writes; returns the acknowledged numbers and
/// the longest time between two acknowledgements.
pub(crate) async fn write_until(spec: DatabaseSpec, stop: Arc<AtomicBool>) -> (Vec<i64>, Duration) {
    let (mut acknowledged, mut gap, mut last, mut n) = (vec![], Duration::ZERO, None::<Instant>, 0i64);
    while !stop.load(Ordering::SeqCst) {
        for node in ["a-1", "b-1"] {
            let Ok(client) = client(&spec, node, PASSWORD).await else { continue };
            while !stop.load(Ordering::SeqCst) {
                n += 1;
                if client.execute("insert into t values ($1)", &[&n]).await.is_err() {
                    break;
                }
                acknowledged.push(n);
                gap = gap.max(last.map_or(Duration::ZERO, |at| at.elapsed()));
                last = Some(Instant::now());
            }
        }
        tokio::time::sleep(Duration::from_millis(1)).await; // a client's own pause between two tries
    }
    (acknowledged, gap)
}

/// Repeats the step as a reconciler does: a disk that other programs keep busy can delay the proof of the standby beyond its limit.
pub(crate) async fn ensure_again(plane: &PostgresPlane, spec: &DatabaseSpec) {
    for _ in 0..5 {
        match plane.ensure(spec).await {
            Err(error) if error.retry => println!("again: {error}"),
            done => return done.unwrap(),
        }
    }
    panic!("the standby is not in sync after five attempts");
}

#[tokio::test(flavor = "multi_thread")]
async fn failovers_lose_no_acknowledged_row() {
    let place = Place::new();
    let (plane, mut events) = place.open();
    let spec = pair("ha", "rows");
    plane.ensure(&spec).await.unwrap();
    let setup = client(&spec, "a-1", PASSWORD).await.unwrap();
    setup.batch_execute("create table t (n bigint primary key)").await.unwrap();
    let mut all: Vec<i64> = vec![];
    for round in 0..4 {
        let from = seen(&plane, &spec).await.primary;
        let to = spec.other(&from).unwrap().name.clone();
        let c = client(&spec, &from, PASSWORD).await.unwrap();
        c.batch_execute("truncate t").await.unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let writer = tokio::spawn(write_until(spec.clone(), stop.clone()));
        while count(&c).await < 100 {}
        if round % 2 == 1 {
            kill_9(seen(&plane, &spec).await.node(&from).unwrap().pid.unwrap());
        }
        let done = plane.failover(&spec.name, &from).await.unwrap();
        let c = client(&spec, &to, PASSWORD).await.unwrap();
        let before = count(&c).await;
        while count(&c).await < before + 50 {}
        stop.store(true, Ordering::SeqCst);
        let (acknowledged, gap) = writer.await.unwrap();
        let rows: Vec<i64> =
            c.query("select n from t", &[]).await.unwrap().iter().map(|r| r.get(0)).collect();
        let lost: Vec<_> = acknowledged.iter().filter(|n| !rows.contains(n)).collect();
        assert!(lost.is_empty(), "lost {lost:?}");
        let t = Instant::now();
        ensure_again(&plane, &spec).await;
        println!(
            "round {round}: fenced {} ms, promoted {} ms, writer's gap {} ms, {} acknowledged, standby back in sync after {} ms",
            done.fenced_ms,
            done.promoted_ms,
            gap.as_millis(),
            acknowledged.len(),
            t.elapsed().as_millis()
        );
        assert_eq!(seen(&plane, &spec).await.protection, Protection::Protected);
        all.extend(acknowledged);
    }
    assert!(all.len() > 400);
    let mut seen = vec![];
    while let Ok(event) = events.try_recv() {
        seen.push(event);
    }
    assert!(seen.iter().any(|e| matches!(e, Event::NodeDied { .. })), "{seen:?}");
    assert_eq!(seen.iter().filter(|e| matches!(e, Event::FailedOver { .. })).count(), 4);
    plane.wipe().await.unwrap();
    place.assert_no_process();
}

fn signal_all(place: &Place, node: &str, signal: nix::sys::signal::Signal) {
    for pid in place.processes() {
        let cwd = std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
        if cwd.ends_with(format!("{node}/data")) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal);
        }
    }
}

/// Nothing is asked of the plane: it notices by itself. The primary is first killed and unable to start, then frozen.
#[tokio::test(flavor = "multi_thread")]
async fn lost_primary_is_replaced_without_a_call() {
    let place = Place::new();
    let (plane, mut events) = place.open();
    let spec = pair("lost", "primary");
    ensure_again(&plane, &spec).await;
    let setup = client(&spec, "a-1", PASSWORD).await.unwrap();
    setup.batch_execute("create table t (n bigint primary key)").await.unwrap();
    for (from, to) in [("a-1", "b-1"), ("b-1", "a-1")] {
        let c = client(&spec, from, PASSWORD).await.unwrap();
        c.batch_execute("truncate t").await.unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let writer = tokio::spawn(write_until(spec.clone(), stop.clone()));
        while count(&c).await < 50 {}
        if from == "a-1" {
            let control =
                place.path().join(format!("state/databases/{}/{from}/data/global/pg_control", spec.name));
            std::fs::remove_file(control).unwrap();
            kill_9(seen(&plane, &spec).await.node(from).unwrap().pid.unwrap());
        } else {
            signal_all(&place, from, nix::sys::signal::Signal::SIGSTOP);
        }
        let reason = loop {
            if let Event::FailedOver { to: new, reason, resumed: false, .. } = events.recv().await.unwrap() {
                assert_eq!(new, to);
                break reason;
            }
        };
        let expected = if from == "a-1" { Reason::Unhealthy } else { Reason::Unresponsive };
        assert_eq!(reason, expected);
        let c = client(&spec, to, PASSWORD).await.unwrap();
        let before = count(&c).await;
        while count(&c).await < before + 20 {}
        stop.store(true, Ordering::SeqCst);
        let (acknowledged, gap) = writer.await.unwrap();
        let rows: Vec<i64> =
            c.query("select n from t", &[]).await.unwrap().iter().map(|r| r.get(0)).collect();
        let lost: Vec<_> = acknowledged.iter().filter(|n| !rows.contains(n)).collect();
        println!("{from} lost: writer's gap {} ms", gap.as_millis());
        assert!(lost.is_empty(), "lost {lost:?}");
        ensure_again(&plane, &spec).await;
        assert_eq!(seen(&plane, &spec).await.node(from).unwrap().role, NodeRole::Standby);
    }
    plane.wipe().await.unwrap();
    place.assert_no_process();
}

/// The plane is dropped after each single step and a new one continues, as after a crash at that point.
#[tokio::test(flavor = "multi_thread")]
async fn converges_from_a_crash_after_each_step() {
    let place = Place::new();
    let spec = pair("crash", "steps");
    let mut steps = vec![];
    loop {
        let (plane, _events) = place.open();
        match plane.step(&spec).await.unwrap() {
            Some(step) => steps.push(step),
            None => break,
        }
        assert!(steps.len() < 40, "{steps:?}");
    }
    println!("{steps:?}");
    let (plane, _events) = place.open();
    assert_eq!(seen(&plane, &spec).await.protection, Protection::Protected);
    // And cancelled within steps, at different times.
    plane.delete(&spec.name, None).await.unwrap();
    for ms in (0..60u64).map(|i| 5 + i * i) {
        if tokio::time::timeout(Duration::from_millis(ms), plane.ensure(&spec)).await.is_ok_and(|r| r.is_ok())
        {
            break;
        }
    }
    plane.ensure(&spec).await.unwrap();
    client(&spec, "a-1", PASSWORD).await.unwrap();
    // A cancelled failover is completed by the next instance.
    let _ = tokio::time::timeout(Duration::from_millis(10), plane.failover(&spec.name, "a-1")).await;
    plane.failover(&spec.name, "a-1").await.unwrap();
    plane.ensure(&spec).await.unwrap();
    assert_eq!(seen(&plane, &spec).await.writable().unwrap().name, "b-1");
    plane.wipe().await.unwrap();
    place.assert_no_process();
}

#[tokio::test(flavor = "multi_thread")]
async fn new_instance_adopts_running_servers() {
    let place = Place::new();
    let spec = pair("adopt", "pids");
    let (plane, events) = place.open();
    plane.ensure(&spec).await.unwrap();
    let before = seen(&plane, &spec).await;
    assert!(PostgresPlane::open(place.config()).is_err(), "a second instance must be refused");
    drop((plane, events));
    let (plane, mut events) = place.open();
    assert_eq!(plane.step(&spec).await.unwrap(), None);
    let after = seen(&plane, &spec).await;
    let pids = |o: &Observed| o.nodes.iter().map(|n| n.pid.unwrap()).collect::<Vec<_>>();
    assert_eq!(pids(&before), pids(&after));
    // Supervision continues: it reports the death of a server that this instance did not start.
    while !matches!(events.recv().await.unwrap(), Event::NodeStarted { node, .. } if node == "b-1") {}
    kill_9(pids(&after)[1]);
    while !matches!(events.recv().await.unwrap(), Event::NodeDied { node, .. } if node == "b-1") {}
    // Commits wait for the lost standby until the grace period is over, then continue; a failover is refused then.
    let c = client(&spec, "a-1", PASSWORD).await.unwrap();
    c.batch_execute("create table t (n bigint)").await.unwrap();
    while !matches!(events.recv().await.unwrap(), Event::Degraded { .. }) {}
    assert_eq!(plane.failover(&spec.name, "a-1").await.unwrap_err().fault, Fault::Asked);
    // The standby returns by itself, without a new copy.
    plane.ensure(&spec).await.unwrap();
    assert_eq!(seen(&plane, &spec).await.protection, Protection::Protected);
    plane.wipe().await.unwrap();
    place.assert_no_process();
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_have_their_own_limit_of_open_files() {
    let place = Place::new();
    let (plane, _events) = place.open();
    let spec = single("files", "one");
    plane.ensure(&spec).await.unwrap();
    let pid = seen(&plane, &spec).await.nodes[0].pid.unwrap().to_string();
    let row = |pid: &str| {
        let table = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let line = table.lines().find(|l| l.starts_with("Max open files")).unwrap().to_owned();
        line.split_whitespace().skip(3).take(2).map(|n| n.parse().unwrap()).collect::<Vec<u64>>()
    };
    let most = row("self")[1].min(65_536);
    assert_eq!(row(&pid), [most, most]);
    plane.wipe().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn halted_servers_stop_in_time_and_start_without_recovery() {
    let place = Place::new();
    let (plane, _events) = place.open();
    let spec = pair("halt", "pair");
    plane.ensure(&spec).await.unwrap();
    let open = client(&spec, "a-1", PASSWORD).await.unwrap();
    open.batch_execute("create table t (n bigint); insert into t values (1)").await.unwrap();
    plane.halt(Duration::from_secs(20)).await.unwrap();
    place.assert_no_process();
    plane.ensure(&spec).await.unwrap();
    let after = seen(&plane, &spec).await;
    assert_eq!((after.primary.as_str(), after.protection), ("a-1", Protection::Protected));
    assert_eq!(count(&client(&spec, "a-1", PASSWORD).await.unwrap()).await, 1);
    // A server that does not stop is killed when the time is over, and recovers.
    let stuck = after.node("a-1").unwrap().pid.unwrap();
    let stop = nix::sys::signal::Signal::SIGSTOP;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(stuck as i32), stop).unwrap();
    let before = Instant::now();
    plane.halt(Duration::from_millis(500)).await.unwrap();
    assert!(before.elapsed() < Duration::from_secs(10), "{:?}", before.elapsed());
    place.no_process_soon().await;
    plane.ensure(&spec).await.unwrap();
    assert_eq!(count(&client(&spec, "a-1", PASSWORD).await.unwrap()).await, 1);
    plane.wipe().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn password_parameters_snapshot_restore() {
    let place = Place::new();
    let (plane, _events) = place.open();
    let mut spec = single("one", "all");
    plane.ensure(&spec).await.unwrap();
    let c = client(&spec, "a-1", PASSWORD).await.unwrap();
    c.batch_execute("create table t (n bigint); insert into t values (1), (2)").await.unwrap();
    let superuser = "select rolsuper from pg_roles where rolname = current_user";
    assert!(!c.query_one(superuser, &[]).await.unwrap().get::<_, bool>(0));

    spec.admin.password = Secret::new("another horse".into());
    plane.ensure(&spec).await.unwrap();
    assert!(client(&spec, "a-1", PASSWORD).await.is_err());
    let c = client(&spec, "a-1", "another horse").await.unwrap();

    spec.parameters.insert("work_mem".into(), "7MB".into());
    plane.ensure(&spec).await.unwrap();
    let c2 = client(&spec, "a-1", "another horse").await.unwrap();
    assert_eq!(c2.query_one("show work_mem", &[]).await.unwrap().get::<_, String>(0), "7MB");
    for (key, value) in [("work_mem", "many"), ("no_such_thing", "1")] {
        let mut bad = spec.clone();
        bad.parameters.insert(key.into(), value.into());
        let error = plane.ensure(&bad).await.unwrap_err();
        assert!(error.fault == Fault::Asked && error.to_string().contains(key), "{error}");
    }
    assert_eq!(plane.step(&spec).await.unwrap(), None, "the refused settings must have no effect");

    let kept = plane.snapshot(&spec.name, "kept").await.unwrap();
    assert!(kept.size_bytes > 1_000_000);
    c.batch_execute("insert into t values (3)").await.unwrap();
    let mut copy = pair("one", "copy");
    copy.restore_from = Some("kept".into());
    plane.ensure(&copy).await.unwrap();
    let restored = client(&copy, "a-1", PASSWORD).await.unwrap();
    assert_eq!((count(&restored).await, count(&c).await), (2, 3));
    let mut none = single("one", "none");
    none.restore_from = Some("missing".into());
    assert!(plane.ensure(&none).await.unwrap_err().to_string().contains("'missing'"));
    plane.wipe().await.unwrap();
    place.assert_no_process();
}

/// A network namespace of the test, removed with it.
struct Namespace(String);

impl Namespace {
    fn new() -> Namespace {
        let name = format!("pg-{}", escale_base::ids::random_hex(8));
        let ns = Namespace(name.clone());
        for line in [
            format!("netns add {name}"),
            format!("-n {name} link set lo up"),
            format!("-n {name} address add 10.99.0.1/32 dev lo"),
            format!("-n {name} address add 10.99.0.2/32 dev lo"),
        ] {
            assert!(Command::new("ip").args(line.split(' ')).status().unwrap().success(), "ip {line}");
        }
        ns
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "delete", &self.0]).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn listens_only_inside_the_namespace() {
    let (ns, place) = (Namespace::new(), Place::new());
    let (plane, _events) = place.open();
    let mut spec = pair("ns", "inside");
    for (node, address) in spec.nodes.iter_mut().zip(["10.99.0.1", "10.99.0.2"]) {
        node.namespace = Some(format!("/run/netns/{}", ns.0).into());
        node.address = address.parse().unwrap();
    }
    plane.ensure(&spec).await.unwrap();
    plane.failover(&spec.name, "a-1").await.unwrap();
    plane.ensure(&spec).await.unwrap();
    assert_eq!(seen(&plane, &spec).await.protection, Protection::Protected);
    let listening = |within: &[&str]| {
        let port = spec.port.to_string();
        let line = [within, &["ss", "-Hltn", "sport", "=", port.as_str()]].concat();
        String::from_utf8(Command::new(line[0]).args(&line[1..]).output().unwrap().stdout).unwrap()
    };
    let path = format!("--net=/run/netns/{}", ns.0);
    let inside = listening(&["nsenter", &path]);
    assert!(inside.contains("10.99.0.1:") && inside.contains("10.99.0.2:"), "{inside}");
    assert_eq!(listening(&["env"]), "");
    let psql = Command::new("nsenter")
        .args([&path, "psql", "-h", "10.99.0.2", "-p", &spec.port.to_string(), "-U", "shop_admin", "shop"])
        .args(["-Atc", "select pg_is_in_recovery()"])
        .env("PGPASSWORD", PASSWORD)
        .output();
    assert_eq!(String::from_utf8(psql.unwrap().stdout).unwrap().trim(), "f");
    plane.wipe().await.unwrap();
    place.assert_no_process();
}

/// The plane's time compared with the same work by hand, in the same run.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: cargo test -p escale-postgres -- --ignored --nocapture"]
async fn measure_create() {
    let place = Place::new();
    let (plane, _events) = place.open();
    for round in 0..3 {
        let spec = pair("time", &format!("r{round}"));
        let t = Instant::now();
        timed(&plane, &spec).await;
        let ours = t.elapsed();
        let by_hand = by_hand(&place, &format!("hand{round}"), spec.version);
        println!("round {round}: plane {} ms, by hand {} ms", ours.as_millis(), by_hand.as_millis());
        plane.delete(&spec.name, None).await.unwrap();
    }
    plane.wipe().await.unwrap();
}

/// initdb, start, copy, start, in sync: the commands of a person.
fn by_hand(place: &Place, name: &str, version: u32) -> Duration {
    let dir = place.path().join(name);
    std::fs::create_dir(&dir).unwrap();
    let programs = Installed::find().folder(version).unwrap().display().to_string();
    let as_pg = |program: &str, args: &str| {
        let line = format!("{programs}/{program} {args}");
        let user = ["--reuid=postgres", "--regid=postgres", "--clear-groups", "sh", "-c"];
        let status =
            Command::new("setpriv").args(user).arg(line).current_dir(&dir).stdout(Stdio::null()).status();
        assert!(status.unwrap().success(), "{program}");
    };
    let owner = nix::unistd::User::from_name("postgres").unwrap().unwrap();
    std::os::unix::fs::chown(&dir, Some(owner.uid.as_raw()), Some(owner.gid.as_raw())).unwrap();
    let (k, port) = (dir.display(), pair("x", "x").port);
    let t = Instant::now();
    as_pg("initdb", "-D a -U su --auth=trust");
    let common = format!("-o \"-p {port} -k {k} -c wal_retrieve_retry_interval=100ms");
    as_pg("pg_ctl", &format!("-D a -w -l la {common} -h 127.0.0.2 -c synchronous_standby_names=s1\" start"));
    as_pg("pg_basebackup", &format!("-h 127.0.0.2 -p {port} -U su -D b -R -X stream -c fast"));
    let info = "-c cluster_name=s1 -h 127.0.0.3\" start";
    as_pg(
        "pg_ctl",
        &format!("-D b -w -l lb {} {info}", common.replace(&format!("-k {k}"), &format!("-k {k}/b"))),
    );
    let sql = "create table t ()"; // returns once the standby is in sync
    as_pg("psql", &format!("-h 127.0.0.2 -p {port} -U su postgres -c '{sql}'"));
    let took = t.elapsed();
    as_pg("pg_ctl", "-D b -m immediate stop");
    as_pg("pg_ctl", "-D a -m immediate stop");
    took
}
