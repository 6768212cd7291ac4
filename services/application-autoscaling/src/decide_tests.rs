use super::*;
use escale_tables::autoscaling::{AdjustmentType, StepAdjustment};

const NOW: Timestamp = Timestamp(1_000_000);

fn at(current: u32) -> Situation {
    Situation {
        current,
        min: 1,
        max: 20,
        in_suspended: false,
        out_suspended: false,
        is_deploying: false,
        last_out: None,
        last_in: None,
        scaling_in: vec![],
    }
}

fn out(share: f64, of: &Situation) -> Answer {
    answer(Demand::TrackOut(share), of, NOW)
}

/// The lower alarms of all policies; `None` is one that is not in ALARM.
fn low(shares: &[Option<f64>], of: Situation) -> Answer {
    let scaling_in = shares.iter().map(|share| ReadyToScaleIn(*share)).collect();
    answer(Demand::TrackIn, &Situation { scaling_in, ..of }, NOW)
}

fn running(base: u32) -> Option<Last> {
    Some(Last { base, until: None })
}

fn cooling(base: u32, ms: i64) -> Option<Last> {
    Some(Last { base, until: Some(NOW.plus_ms(ms)) })
}

fn is_blocked(answer: Answer, by: &str) -> bool {
    matches!(answer, Answer::Blocked(why) if why.contains(by))
}

#[test]
fn tracking_is_proportional() {
    for (current, share, expected) in
        [(2, 10.0, 20), (2, 1.01, 3), (3, 1.5, 5), (10, 1.2, 12), (1, 10.0, 10), (7, 100.0, 20), (0, 3.0, 3)]
    {
        assert_eq!(out(share, &at(current)), Answer::Scale(expected), "{current} × {share}");
    }
    for (current, share, expected) in [(20, 0.1, 2), (10, 0.5, 5), (10, 0.89, 9), (10, 0.0, 1), (4, 0.51, 3)]
    {
        assert_eq!(low(&[Some(share)], at(current)), Answer::Scale(expected), "{current} × {share}");
    }
}

#[test]
fn limits_hold() {
    assert_eq!(out(3.0, &at(20)), not_scaled(NotScaledCode::AtMax, 20));
    assert_eq!(low(&[Some(0.1)], at(1)), not_scaled(NotScaledCode::AtMin, 1));
    // Two tasks at 60 % would be one at 120 %.
    assert_eq!(low(&[Some(0.6)], at(2)), not_scaled(NotScaledCode::AnticipatedFlapping, 2));
}

/// From the page of ECS: an increase starts at the minimum, a decrease does not change a count below it, and the other way round.
#[test]
fn a_count_outside_of_the_limits_was_set_by_hand() {
    let limited = |current| Situation { min: 5, max: 8, ..at(current) };
    assert_eq!(out(1.1, &limited(2)), Answer::Scale(5));
    assert_eq!(low(&[Some(0.1)], limited(2)), not_scaled(NotScaledCode::AtMin, 5));
    assert_eq!(low(&[Some(0.99)], limited(12)), Answer::Scale(8));
    assert_eq!(out(9.0, &limited(12)), not_scaled(NotScaledCode::AtMax, 8));
}

#[test]
fn only_a_larger_increase_goes_on_during_a_cooldown() {
    let of = |last_out| Situation { last_out, ..at(6) };
    for last in [running(2), cooling(2, 1)] {
        assert!(is_blocked(out(2.9, &of(last)), "cooldown"), "2 × 2.9 is the pending capacity");
        assert_eq!(out(5.0, &of(last)), Answer::Scale(10), "2 × 5");
    }
    assert_eq!(out(1.5, &of(cooling(2, 0))), Answer::Scale(9), "the cooldown has ended");
    assert_eq!(
        low(&[Some(0.5)], of(cooling(2, 1))),
        Answer::Scale(3),
        "a scale-out does not block a scale-in"
    );
}

#[test]
fn scaling_in_waits_for_its_cooldown_and_scaling_out_does_not() {
    let of = |last_in| Situation { last_in, ..at(6) };
    for last in [running(10), cooling(10, 1)] {
        assert!(is_blocked(low(&[Some(0.5)], of(last)), "cooldown"));
        assert_eq!(out(2.0, &of(last)), Answer::Scale(12));
    }
    assert_eq!(low(&[Some(0.5)], of(cooling(10, 0))), Answer::Scale(3));
}

#[test]
fn all_tracking_policies_must_agree_to_scale_in() {
    assert!(is_blocked(low(&[Some(0.1), None], at(10)), "another"));
    assert_eq!(low(&[Some(0.1), Some(0.6)], at(10)), Answer::Scale(6));
    assert!(is_blocked(low(&[], at(10)), "no policy"));
}

#[test]
fn a_deployment_prevents_scaling_in_only() {
    let of = Situation { is_deploying: true, ..at(4) };
    assert!(is_blocked(low(&[Some(0.5)], of.clone()), "deployment"));
    assert_eq!(out(2.0, &of), Answer::Scale(8));
}

#[test]
fn suspended_directions_do_nothing() {
    let of = Situation { in_suspended: true, ..at(4) };
    assert!(is_blocked(low(&[Some(0.5)], of.clone()), "suspended"));
    assert_eq!(out(2.0, &of), Answer::Scale(8));
    assert!(is_blocked(out(2.0, &Situation { out_suspended: true, ..at(4) }), "suspended"));
}

/// The example of AWS's page: an increase by 2, then by 3 during its cooldown, adds 1.
#[test]
fn steps_count_what_a_cooldown_has_added() {
    let policy = StepScaling {
        adjustment: AdjustmentType::Change,
        steps: vec![
            StepAdjustment { lower: Some(0.0), upper: Some(20.0), adjustment: 2 },
            StepAdjustment { lower: Some(20.0), upper: None, adjustment: 3 },
        ],
        min_magnitude: None,
        cooldown_secs: None,
        aggregation: None,
    };
    let step =
        |breach, of: &Situation| answer(Demand::Step { policy: &policy, breach, is_above: true }, of, NOW);
    assert_eq!(step(5.0, &at(4)), Answer::Scale(6));
    let cooling = Situation { last_out: cooling(4, 1), ..at(6) };
    assert!(is_blocked(step(5.0, &cooling), "cooldown"));
    assert_eq!(step(25.0, &cooling), Answer::Scale(7));
    assert!(is_blocked(step(-5.0, &at(4)), "no step"));
}

#[test]
fn the_largest_capacity_wins() {
    let stay = not_scaled(NotScaledCode::AtMax, 4);
    assert_eq!(choose(&[Answer::Scale(6), Answer::Scale(9), stay], 4), Some(1));
    assert_eq!(choose(&[Answer::Scale(2), Answer::Scale(3)], 4), Some(1));
    assert_eq!(choose(&[Answer::Scale(2), Answer::Scale(9)], 4), Some(1));
    assert_eq!(choose(&[stay, Answer::Blocked("")], 4), None);
}
