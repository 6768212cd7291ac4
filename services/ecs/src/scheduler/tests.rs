use super::*;

fn version(id: &str, in_progress: bool) -> Version {
    Version {
        id: id.into(),
        in_progress,
        has_failed: false,
        failures: 0,
        last_failure: None,
        baking: None,
        traffic: None,
    }
}

fn wish(desired: u32, deployments: &[&str]) -> Wish {
    Wish {
        desired,
        minimum_percent: 100,
        maximum_percent: 200,
        circuit_breaker: true,
        threshold: 3,
        alarm: None,
        bake_ms: 0,
        minute_ms: 60_000,
        rebalance: false,
        grace_ms: 0,
        deployments: deployments.iter().map(|d| version(d, true)).collect(),
        zones: vec!["a".into(), "b".into()],
    }
}

/// Parses `deployment:life@zone`, such as `new:up@a`.
fn members(list: &[&str]) -> Vec<Member> {
    let member = |(i, text): (usize, &&str)| {
        let (deployment, rest) = text.split_once(':').unwrap();
        let (life, zone) = rest.split_once('@').unwrap_or((rest, "a"));
        Member {
            id: TaskId(format!("{i}")),
            deployment: deployment.into(),
            zone: zone.into(),
            life: match life {
                "starting" | "rechecked" => Life::Starting,
                "up" => Life::Up,
                "unhealthy" => Life::Unhealthy(FailedCheck::Balancer),
                "stopping" => Life::Stopping,
                other => panic!("{other}"),
            },
            has_served: life == "rechecked",
            is_checked: true,
            started: Some(Timestamp(0)),
            created: Timestamp(i as i64),
            protected_until: None,
        }
    };
    list.iter().enumerate().map(member).collect()
}

fn stopped(decision: Decision) -> Vec<TaskId> {
    match decision {
        Decision::Stop(list) => list.into_iter().map(|(id, _)| id).collect(),
        other => panic!("{other:?}"),
    }
}

const NOW: Timestamp = Timestamp(1_000_000);

#[test]
fn deployment_completes_when_all_tasks_are_up() {
    let w = wish(2, &["new"]);
    assert_eq!(decide(&w, &[], NOW), Decision::Start(2));
    assert_eq!(decide(&w, &members(&["new:starting", "new:starting"]), NOW), Decision::Wait(None));
    assert_eq!(decide(&w, &members(&["new:up", "new:up"]), NOW), Decision::Complete);
    let mut done = w;
    done.deployments[0].in_progress = false;
    assert_eq!(decide(&done, &members(&["new:up", "new:up"]), NOW), Decision::Wait(None));
    assert_eq!(decide(&done, &members(&["new:up", "new:stopping"]), NOW), Decision::Start(1));
}

/// They serve: only their health checks have begun anew.
#[test]
fn old_tasks_that_a_restarted_balancer_checks_anew_are_kept() {
    let w = wish(2, &["new", "old"]);
    let at = |list: &[&str]| decide(&w, &members(list), NOW);
    assert_eq!(at(&["old:rechecked", "old:rechecked", "new:starting", "new:starting"]), Decision::Wait(None));
    assert_eq!(at(&["old:rechecked", "old:rechecked", "new:up", "new:starting"]), Decision::Wait(None));
    assert_eq!(stopped(at(&["old:rechecked", "old:rechecked", "new:up", "new:up"])).len(), 2);
    assert_eq!(stopped(at(&["old:rechecked", "old:starting", "new:starting", "new:starting"])), ["1"]);
}

#[test]
fn rolling_update_stays_within_the_limits() {
    let w = wish(2, &["new", "old"]);
    // 200 %: both new tasks start at once, while both old ones run.
    assert_eq!(decide(&w, &members(&["old:up", "old:up"]), NOW), Decision::Start(2));
    let half = members(&["old:up", "old:up", "new:up", "new:starting"]);
    assert_eq!(stopped(decide(&w, &half, NOW)), ["0"]);
    let full = members(&["old:stopping", "old:up", "new:up", "new:up"]);
    assert_eq!(stopped(decide(&w, &full, NOW)), ["1"]);
    // The old deployment stays in the list until its tasks have stopped.
    let waiting = members(&["old:stopping", "new:up", "new:up"]);
    assert_eq!(decide(&w, &waiting, NOW), Decision::Wait(None));
    assert_eq!(decide(&w, &members(&["new:up", "new:up"]), NOW), Decision::Complete);
}

#[test]
fn old_task_stays_until_a_new_one_without_checks_has_settled() {
    let w = wish(2, &["new", "old"]);
    let mut all = members(&["old:up", "old:up", "new:up", "new:up"]);
    for new in &mut all[2..] {
        (new.is_checked, new.started) = (false, Some(NOW));
    }
    let settled = NOW.plus_ms(SETTLE_MS);
    assert_eq!(decide(&w, &all, NOW), Decision::Wait(Some(settled)));
    assert_eq!(stopped(decide(&w, &all, settled)), ["0", "1"]);
}

#[test]
fn stops_old_tasks_first_at_100_maximum_percent() {
    let mut w = wish(4, &["new", "old"]);
    (w.minimum_percent, w.maximum_percent) = (50, 100);
    let all = members(&["old:up", "old:up", "old:up", "old:up"]);
    assert_eq!(stopped(decide(&w, &all, NOW)), ["0", "1"]);
    let half = members(&["old:stopping", "old:stopping", "old:up", "old:up"]);
    assert_eq!(decide(&w, &half, NOW), Decision::Start(2));
}

#[test]
fn minimum_is_rounded_up_and_maximum_down() {
    let mut w = wish(3, &["new", "old"]);
    (w.minimum_percent, w.maximum_percent) = (50, 150);
    let all = members(&["old:up", "old:up", "old:up"]);
    // At least 2 of 3 must stay up.
    assert_eq!(stopped(decide(&w, &all, NOW)), ["0"]);
    let two = members(&["old:stopping", "old:up", "old:up"]);
    // At most 4 may exist, so two more start.
    assert_eq!(decide(&w, &two, NOW), Decision::Start(2));
}

#[test]
fn unhealthy_task_is_replaced_after_the_grace_period() {
    let mut w = wish(1, &["new"]);
    w.deployments[0].in_progress = false;
    w.grace_ms = 2_000_000;
    let unhealthy = members(&["new:unhealthy"]);
    assert_eq!(decide(&w, &unhealthy, NOW), Decision::Wait(Some(Timestamp(2_000_000))));
    w.grace_ms = 0;
    assert_eq!(decide(&w, &unhealthy, NOW), Decision::Start(1));
    assert_eq!(decide(&w, &members(&["new:unhealthy", "new:starting"]), NOW), Decision::Wait(None));
    assert_eq!(
        decide(&w, &members(&["new:unhealthy", "new:up"]), NOW),
        Decision::Stop(vec![("0".into(), Why::Unhealthy(FailedCheck::Balancer))])
    );
    // It recovered meanwhile, so its replacement is one task too many.
    assert_eq!(stopped(decide(&w, &members(&["new:up", "new:starting"]), NOW)), ["1"]);
}

#[test]
fn unhealthy_replacements_are_replaced_and_the_first_tasks_go_on_serving() {
    let mut w = wish(2, &["new"]);
    w.deployments[0].in_progress = false;
    let two = ["new:unhealthy", "new:unhealthy"];
    assert_eq!(decide(&w, &members(&two), NOW), Decision::Start(2));
    let four = ["new:unhealthy", "new:unhealthy", "new:unhealthy", "new:unhealthy"];
    assert_eq!(stopped(decide(&w, &members(&four), NOW)), ["3", "2"]);
    // A new deployment's unhealthy tasks are not needed while the old ones serve.
    let w = wish(2, &["new", "old"]);
    let both = ["old:up", "old:up", "new:unhealthy", "new:unhealthy"];
    assert_eq!(stopped(decide(&w, &members(&both), NOW)), ["3", "2"]);
}

#[test]
fn unhealthy_tasks_are_stopped_one_at_a_time_at_100_maximum_percent() {
    let mut w = wish(3, &["new"]);
    (w.minimum_percent, w.maximum_percent) = (50, 100);
    w.deployments[0].in_progress = false;
    let three = ["new:unhealthy", "new:unhealthy", "new:up"];
    assert_eq!(stopped(decide(&w, &members(&three), NOW)), ["1"]);
    let stopping = ["new:unhealthy", "new:stopping", "new:up"];
    assert_eq!(decide(&w, &members(&stopping), NOW), Decision::Start(1));
    let starting = ["new:unhealthy", "new:starting", "new:up"];
    assert_eq!(decide(&w, &members(&starting), NOW), Decision::Wait(None));
    // Without a replacement to start, no task makes room.
    w.deployments[0].last_failure = Some(NOW);
    w.deployments[0].failures = 1;
    assert_eq!(decide(&w, &members(&three), NOW), Decision::Wait(Some(NOW.plus_ms(1000))));
}

#[test]
fn failures_delay_starts_and_then_trip_the_circuit_breaker() {
    let mut w = wish(2, &["new"]);
    w.deployments[0].failures = 2;
    w.deployments[0].last_failure = Some(NOW);
    assert_eq!(decide(&w, &[], NOW), Decision::Wait(Some(NOW.plus_ms(2000))));
    assert_eq!(decide(&w, &[], NOW.plus_ms(2000)), Decision::Start(2));
    w.deployments[0].failures = 3;
    assert_eq!(decide(&w, &[], NOW), Decision::Trip(None));
    w.circuit_breaker = false;
    assert_eq!(decide(&w, &[], NOW), Decision::Wait(Some(NOW.plus_ms(4000))));
}

#[test]
fn threshold_is_a_number_or_a_percentage_of_the_desired_count() {
    use ThresholdType::{BoundedPercent, Count, UnboundedPercent};
    let of = |kind, value| Some(Threshold { kind, value });
    for (configured, desired, trips) in [
        (None, 1, 3),
        (None, 6, 3),
        (None, 7, 4),
        (None, 25, 13),
        (None, 800, 200),
        (of(Count, 1), 800, 1),
        (of(BoundedPercent, 10), 100, 10),
        (of(BoundedPercent, 10), 10, 3),
        (of(UnboundedPercent, 10), 10, 1),
        (of(UnboundedPercent, 50), 800, 400),
    ] {
        assert_eq!(threshold(configured, desired), trips, "{configured:?} {desired}");
    }
}

#[test]
fn alarm_fails_the_deployment_until_its_bake_time_is_over() {
    let mut w = wish(1, &["new", "old"]);
    w.bake_ms = 60_000;
    let alarm = Some(AlarmName("errors".into()));
    w.alarm = alarm.clone();
    assert_eq!(decide(&w, &members(&["old:up", "new:starting"]), NOW), Decision::Trip(alarm.clone()));
    w.alarm = None;
    let done = members(&["new:up"]);
    assert_eq!(decide(&w, &done, NOW), Decision::Bake);
    w.deployments[0].baking = Some(NOW);
    let end = NOW.plus_ms(60_000);
    assert_eq!(decide(&w, &done, NOW), Decision::Wait(Some(end)));
    w.alarm = alarm.clone();
    assert_eq!(decide(&w, &done, NOW), Decision::Trip(alarm));
    w.alarm = None;
    assert_eq!(decide(&w, &done, end), Decision::Complete);
}

#[test]
fn failed_deployment_starts_no_more_tasks() {
    let mut w = wish(1, &["new"]);
    (w.deployments[0].in_progress, w.deployments[0].has_failed) = (false, true);
    assert_eq!(decide(&w, &[], NOW), Decision::Wait(None));
}

#[test]
fn scaling_in_takes_from_the_fullest_zone() {
    let w = wish(2, &["new"]);
    let three = members(&["new:up@a", "new:up@b", "new:up@a"]);
    assert_eq!(stopped(decide(&w, &three, NOW)), ["2"]);
    let starting = members(&["new:up@a", "new:up@a", "new:starting@b"]);
    assert_eq!(stopped(decide(&w, &starting, NOW)), ["2"]);
}

#[test]
fn rebalances_zones_if_enabled() {
    let mut w = wish(2, &["new"]);
    w.deployments[0].in_progress = false;
    let both = members(&["new:up@a", "new:up@a"]);
    assert_eq!(decide(&w, &both, NOW), Decision::Wait(None));
    w.rebalance = true;
    assert_eq!(decide(&w, &both, NOW), Decision::Start(1));
    let three = members(&["new:up@a", "new:up@a", "new:starting@b"]);
    // The new task must be up before one of the others stops.
    assert_eq!(decide(&w, &three, NOW), Decision::Wait(None));
    let up = members(&["new:up@a", "new:up@a", "new:up@b"]);
    assert_eq!(stopped(decide(&w, &up, NOW)), ["1"]);
}

#[test]
fn deleted_service_stops_all_tasks() {
    let w = wish(0, &["new"]);
    assert_eq!(stopped(decide(&w, &members(&["new:up", "new:up"]), NOW)).len(), 2);
}

#[test]
fn protected_tasks_outlast_scale_ins_and_deployments_but_no_failed_check() {
    let protect = |mut all: Vec<Member>, which: usize| {
        all[which].protected_until = Some(NOW.plus_ms(60_000));
        all
    };
    let mut w = wish(1, &["new"]);
    w.deployments[0].in_progress = false;
    let two = || protect(members(&["new:up@a", "new:up@b"]), 1);
    assert_eq!(stopped(decide(&w, &two(), NOW)), ["0"]);
    w.desired = 0;
    let last = || protect(members(&["new:up"]), 0);
    assert_eq!(decide(&w, &last(), NOW), Decision::Wait(Some(NOW.plus_ms(60_000))));
    assert_eq!(stopped(decide(&w, &last(), NOW.plus_ms(60_000))), ["0"]);

    let w = wish(1, &["new", "old"]);
    let replaced = || protect(members(&["old:up", "new:up"]), 0);
    assert_eq!(decide(&w, &replaced(), NOW), Decision::Wait(Some(NOW.plus_ms(60_000))));
    assert_eq!(stopped(decide(&w, &replaced(), NOW.plus_ms(60_000))), ["0"]);
    // More tasks than desired, all protected, do not keep a deployment in progress.
    let surplus = protect(protect(members(&["new:up", "new:up"]), 0), 1);
    assert_eq!(decide(&w, &surplus, NOW), Decision::Complete);
    let sick = protect(members(&["new:unhealthy", "new:up"]), 0);
    assert_eq!(stopped(decide(&wish(1, &["new"]), &sick, NOW)), ["0"]);
}

#[test]
fn zones_whose_surplus_is_protected_are_not_balanced() {
    let mut w = wish(2, &["new"]);
    (w.deployments[0].in_progress, w.rebalance) = (false, true);
    let mut all = members(&["new:up@a", "new:up@a"]);
    assert_eq!(decide(&w, &all, NOW), Decision::Start(1));
    let end = Some(NOW.plus_ms(60_000));
    all.iter_mut().for_each(|m| m.protected_until = end);
    assert_eq!(decide(&w, &all, NOW), Decision::Wait(end));
}
