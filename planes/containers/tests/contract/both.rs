//! The contract that the fake and the real plane share.

use crate::rig::{Rig, group, health};
use escale_base::error::Fault;
use escale_containers::{
    Behaviour, ExitReason, Health, Phase, State, StopReason,
    spec::{Condition, DependsOn},
};
use std::time::Duration;

macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        mod fake { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name(crate::rig::Rig::fake()).await }
        )* }
        mod real { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name(crate::rig::Rig::real()).await }
        )* }
    };
}

contract!(
    runs_logs_and_ends,
    start_is_idempotent_and_refuses_another,
    bad_groups_are_refused,
    a_missing_image_is_the_callers_fault,
    a_broken_container_says_why,
    essential_end_stops_the_rest,
    stop_is_kill_after_the_timeout,
    halts_all_groups_within_its_time,
    waits_for_health,
    waits_for_success,
    a_dependency_that_fails_stops_the_group,
    start_timeout_stops_the_group,
    becomes_unhealthy,
    stops_dependents_first,
    survives_the_daemon,
    power_off_kills_and_bars,
    too_much_written_kills_the_group,
    a_container_has_no_storage_limit_of_its_own,
);

fn lines(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| w.to_string()).collect()
}

fn after(container: &str, condition: Condition) -> Vec<DependsOn> {
    vec![DependsOn { container: container.into(), condition }]
}

async fn runs_logs_and_ends(rig: Rig) {
    let c = rig.container(
        "main",
        Behaviour { lines: lines(&["one", "two"]), exits: Some((100, 7)), ..Default::default() },
    );
    rig.plane().start(group("g", vec![c])).await.unwrap();
    assert_eq!(rig.log("g", "main").await, ["one", "two"]);
    let exit = rig.exit("g", "main").await;
    assert_eq!((exit.code, exit.signal, exit.oom, &exit.reason), (Some(7), None, false, &ExitReason::Ended));
    let seen = rig.stopped("g").await;
    assert_eq!(seen.stop, Some(StopReason::EssentialExited("main".into())));
    let last = rig.plane().tail("g", "main", 1).await.unwrap();
    assert_eq!(last.iter().map(|l| l.text.as_slice()).collect::<Vec<_>>(), [b"two"]);
    assert_eq!(rig.plane().tail("g", "main", 9).await.unwrap().len(), 2);
    assert!(rig.plane().tail("g", "missing", 9).await.is_err());
    rig.plane().remove("g").await.unwrap();
    assert!(rig.plane().observe("g").is_none());
    rig.plane().remove("g").await.unwrap();
    rig.done().await;
}

async fn start_is_idempotent_and_refuses_another(rig: Rig) {
    let mut g = group("g", vec![rig.container("main", Behaviour::default())]);
    rig.plane().start(g.clone()).await.unwrap();
    assert!(rig.plane().observe("g").is_some(), "the group must be observable as soon as it is accepted");
    let pid = rig.running("g", "main").await;
    rig.plane().start(g.clone()).await.unwrap();
    assert_eq!(rig.running("g", "main").await, pid);
    g.hostname = "other".into();
    let e = rig.plane().start(g).await.unwrap_err();
    assert!(e.fault == Fault::Asked && e.to_string().contains("'g'"), "{e}");
    rig.done().await;
}

async fn bad_groups_are_refused(rig: Rig) {
    let c = |name: &str| rig.container(name, Behaviour::default());
    let mut unknown = c("a");
    unknown.depends_on = after("missing", Condition::Start);
    let (mut x, mut y) = (c("x"), c("y"));
    x.depends_on = after("y", Condition::Start);
    y.depends_on = after("x", Condition::Start);
    let mut idle = c("idle");
    idle.essential = false;
    let mut capable = c("capable");
    capable.security.add_capabilities = vec!["FLY".into()];
    let mut open = c("open");
    open.ulimits = vec![escale_containers::spec::Ulimit { name: "nofile".into(), soft: 1, hard: u64::MAX }];
    for (containers, says) in [
        (vec![], "no container"),
        (vec![unknown], "missing"),
        (vec![x, y], "waits for itself"),
        (vec![idle], "essential"),
        (vec![capable], "FLY"),
        (vec![open], "nofile"),
        (vec![c("twice"), c("twice")], "twice"),
    ] {
        let e = rig.plane().start(group("bad", containers)).await.unwrap_err();
        assert!(e.fault == Fault::Asked && e.to_string().contains(says), "{e}");
    }
    let e = rig.plane().start(group("../up", vec![c("a")])).await.unwrap_err();
    assert!(e.to_string().contains("../up"), "{e}");
    rig.done().await;
}

async fn a_missing_image_is_the_callers_fault(rig: Rig) {
    let mut c = rig.container("main", Behaviour::default());
    c.image = format!("sha256:{}", "0".repeat(64));
    let e = rig.plane().start(group("g", vec![c])).await.unwrap_err();
    assert!(e.fault == Fault::Asked && e.to_string().contains("sha256:0000"), "{e}");
    assert!(rig.plane().observe("g").is_none());
    rig.done().await;
}

async fn a_broken_container_says_why(rig: Rig) {
    let why = "/no/such/program: not there".to_owned();
    let c = rig.container("main", Behaviour { broken: Some(why), ..Default::default() });
    rig.plane().start(group("g", vec![c])).await.unwrap();
    let exit = rig.exit("g", "main").await;
    let ExitReason::NotStarted(why) = &exit.reason else { panic!("{exit:?}") };
    assert!(why.contains("/no/such/program"), "{why}");
    assert_eq!(rig.stopped("g").await.phase, Phase::Stopped);
    rig.done().await;
}

async fn essential_end_stops_the_rest(rig: Rig) {
    let mut main = rig.container("main", Behaviour { exits: Some((300, 3)), ..Default::default() });
    // Healthy comes after the signal handler.
    let mut side = rig.container("side", Behaviour { healthy_after_ms: Some(0), ..Default::default() });
    side.health = Some(health());
    main.depends_on = after("side", Condition::Healthy);
    rig.plane().start(group("g", vec![side, main])).await.unwrap();
    let seen = rig.stopped("g").await;
    assert_eq!(seen.stop, Some(StopReason::EssentialExited("main".into())));
    let exit = rig.exit("g", "side").await;
    assert!(exit.code == Some(143) || exit.signal == Some(15), "{exit:?}");
    rig.done().await;
}

async fn stop_is_kill_after_the_timeout(rig: Rig) {
    let mut c =
        rig.container("main", Behaviour { ignores_stop: true, lines: lines(&["up"]), ..Default::default() });
    c.stop_timeout_ms = 300;
    rig.plane().start(group("g", vec![c])).await.unwrap();
    rig.listening("g", "main").await;
    let before = std::time::Instant::now();
    rig.plane().stop("g", "the test says so").await.unwrap();
    let exit = rig.exit("g", "main").await;
    assert_eq!((exit.code, exit.signal), (None, Some(9)));
    assert!(before.elapsed().as_millis() >= 300);
    assert_eq!(rig.stopped("g").await.stop, Some(StopReason::Asked("the test says so".into())));
    rig.done().await;
}

async fn halts_all_groups_within_its_time(mut rig: Rig) {
    let polite = rig.container("main", Behaviour { lines: lines(&["up"]), ..Default::default() });
    let stubborn =
        rig.container("main", Behaviour { ignores_stop: true, lines: lines(&["up"]), ..Default::default() });
    rig.plane().start(group("polite", vec![polite])).await.unwrap();
    rig.plane().start(group("stubborn", vec![stubborn])).await.unwrap();
    rig.listening("polite", "main").await;
    rig.listening("stubborn", "main").await;
    let before = std::time::Instant::now();
    rig.plane().halt(Duration::from_millis(1_500)).await.unwrap();
    // Its own stop timeout would be 20 s.
    assert!(before.elapsed() < Duration::from_secs(10), "{:?}", before.elapsed());
    let exit = rig.exit("polite", "main").await;
    assert!(exit.code == Some(143) || exit.signal == Some(15), "{exit:?}");
    assert_eq!(rig.exit("stubborn", "main").await.signal, Some(9));
    // The next daemon reads the reason.
    rig.restart();
    for id in ["polite", "stubborn"] {
        assert_eq!(rig.stopped(id).await.stop, Some(StopReason::Halted), "{id}");
    }
    rig.done().await;
}

async fn waits_for_health(rig: Rig) {
    let mut base = rig.container("base", Behaviour { healthy_after_ms: Some(300), ..Default::default() });
    base.health = Some(health());
    let mut main = rig.container("main", Behaviour::default());
    main.depends_on = after("base", Condition::Healthy);
    rig.plane().start(group("g", vec![main, base])).await.unwrap();
    rig.running("g", "base").await;
    rig.until_group("g", |g| {
        let (base, main) = (&g.containers["base"], &g.containers["main"]);
        assert!(base.health == Health::Healthy || matches!(main.state, State::Pending), "{g:?}");
        matches!(main.state, State::Running(_))
    })
    .await;
    rig.done().await;
}

async fn waits_for_success(rig: Rig) {
    let mut first = rig.container("first", Behaviour { exits: Some((200, 0)), ..Default::default() });
    first.essential = false;
    let mut main = rig.container("main", Behaviour::default());
    main.depends_on = after("first", Condition::Success);
    rig.plane().start(group("g", vec![main, first])).await.unwrap();
    rig.running("g", "main").await;
    assert_eq!(rig.exit("g", "first").await.code, Some(0));
    assert_eq!(rig.until_group("g", |g| g.phase == Phase::Running).await.stop, None);
    rig.done().await;
}

async fn a_dependency_that_fails_stops_the_group(rig: Rig) {
    let mut first = rig.container("first", Behaviour { exits: Some((50, 2)), ..Default::default() });
    first.essential = false;
    let mut main = rig.container("main", Behaviour::default());
    main.depends_on = after("first", Condition::Success);
    rig.plane().start(group("g", vec![main, first])).await.unwrap();
    let seen = rig.stopped("g").await;
    let Some(StopReason::Dependency(who, why)) = &seen.stop else { panic!("{seen:?}") };
    assert!(who == "first" && why.contains('2'), "{who}: {why}");
    assert_eq!(rig.exit("g", "main").await.reason, ExitReason::Skipped);
    rig.done().await;
}

async fn start_timeout_stops_the_group(rig: Rig) {
    let mut base = rig.container("base", Behaviour::default());
    base.health = Some(health());
    base.start_timeout_ms = 400;
    let mut main = rig.container("main", Behaviour::default());
    main.depends_on = after("base", Condition::Healthy);
    rig.plane().start(group("g", vec![main, base])).await.unwrap();
    let seen = rig.stopped("g").await;
    assert!(
        matches!(&seen.stop, Some(StopReason::Dependency(who, why)) if who == "base" && why.contains("400 ms"))
    );
    rig.done().await;
}

async fn becomes_unhealthy(rig: Rig) {
    let mut c = rig.container("main", Behaviour::default());
    c.health = Some(health());
    rig.plane().start(group("g", vec![c])).await.unwrap();
    let seen = rig.until("g", "main", |c| c.health == Health::Unhealthy).await;
    assert!(matches!(seen.state, State::Running(_)), "the plane reports health and takes no action");
    rig.done().await;
}

async fn stops_dependents_first(rig: Rig) {
    let base = rig.container("base", Behaviour { lines: lines(&["up"]), ..Default::default() });
    let mut main =
        rig.container("main", Behaviour { ignores_stop: true, lines: lines(&["up"]), ..Default::default() });
    main.depends_on = after("base", Condition::Start);
    main.stop_timeout_ms = 300;
    rig.plane().start(group("g", vec![base, main])).await.unwrap();
    rig.listening("g", "base").await;
    rig.listening("g", "main").await;
    rig.plane().stop("g", "test").await.unwrap();
    rig.stopped("g").await;
    let (base, main) = (rig.exit("g", "base").await, rig.exit("g", "main").await);
    assert!(base.at >= main.at && main.signal == Some(9), "{base:?} {main:?}");
    rig.done().await;
}

async fn too_much_written_kills_the_group(rig: Rig) {
    const MIB: u64 = 1 << 20;
    let writes = |mib| Behaviour { stored_bytes: Some(mib * MIB), ignores_stop: true, ..Default::default() };
    for (id, limit) in [("within", 32 * MIB), ("above", 12 * MIB)] {
        // Together they exceed the smaller limit; each alone does not.
        let mut g = group(id, vec![rig.container("one", writes(8)), rig.container("two", writes(8))]);
        g.limits.storage_bytes = Some(limit);
        rig.plane().start(g).await.unwrap();
    }
    let seen = rig.stopped("above").await;
    match &seen.stop {
        Some(StopReason::StorageFull { used_bytes, limit_bytes }) => {
            assert_eq!(*limit_bytes, 12 * MIB);
            assert!((12 * MIB..=18 * MIB).contains(used_bytes), "{used_bytes}");
        }
        other => panic!("{other:?}"),
    }
    let exit = rig.exit("above", "one").await;
    assert_eq!(exit.signal, Some(9), "it writes until it is killed: {exit:?}");
    rig.running("within", "one").await;
    rig.done().await;
}

async fn a_container_has_no_storage_limit_of_its_own(rig: Rig) {
    let mut c = rig.container("main", Behaviour::default());
    c.limits.storage_bytes = Some(1);
    let error = rig.plane().start(group("g", vec![c])).await.unwrap_err();
    assert_eq!(error.fault, Fault::Asked);
    assert!(error.to_string().contains("a storage limit applies to a group"), "{error}");
    rig.done().await;
}

async fn survives_the_daemon(mut rig: Rig) {
    let c = rig.container(
        "main",
        Behaviour { lines: lines(&["before"]), exits: Some((1500, 5)), ..Default::default() },
    );
    rig.plane().start(group("g", vec![c])).await.unwrap();
    assert!(rig.plane().observe("g").is_some(), "a started group must be observable at once");
    let pid = rig.running("g", "main").await;
    let cursor = rig.plane().logs("g", "main", 0, 1000, true).await.unwrap().next;
    rig.restart();
    assert!(rig.plane().list().contains_key("g"), "an adopted group must be observable at once");
    assert_eq!(rig.running("g", "main").await, pid);
    assert_eq!(rig.exit("g", "main").await.code, Some(5));
    let rest = rig.plane().logs("g", "main", cursor, 1000, true).await.unwrap();
    assert!(rest.lines.is_empty() && rest.end, "{rest:?}");
    rig.restart();
    assert_eq!(rig.stopped("g").await.stop, Some(StopReason::EssentialExited("main".into())));
    rig.done().await;
}

async fn power_off_kills_and_bars(rig: Rig) {
    let g = group("g", vec![rig.container("main", Behaviour { ignores_stop: true, ..Default::default() })]);
    let mut elsewhere = group("h", vec![rig.container("main", Behaviour::default())]);
    elsewhere.zone = "b".into();
    rig.plane().start(g).await.unwrap();
    rig.plane().start(elsewhere).await.unwrap();
    rig.running("g", "main").await;
    let pid = rig.running("h", "main").await;
    rig.plane().power("a", false).await.unwrap();
    assert_eq!(rig.exit("g", "main").await.signal, Some(9));
    rig.plane().start(group("late", vec![rig.container("main", Behaviour::default())])).await.unwrap();
    assert!(matches!(rig.exit("late", "main").await.reason, ExitReason::NotStarted(_)));
    rig.plane().power("a", true).await.unwrap();
    rig.plane().start(group("again", vec![rig.container("main", Behaviour::default())])).await.unwrap();
    rig.running("again", "main").await;
    assert_eq!(rig.running("h", "main").await, pid);
    rig.done().await;
}
