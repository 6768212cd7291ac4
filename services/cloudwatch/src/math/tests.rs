use super::*;
use crate::Error;
use escale_base::AwsError;

fn series(values: &[(i64, f64)]) -> Value {
    Value::Series(TimeSeries { period: 60, values: values.iter().copied().collect(), label: None })
}

fn named() -> Named {
    [
        ("m1", series(&[(0, 1.0), (60, 2.0), (180, 4.0)])),
        ("m2", series(&[(0, 10.0), (60, 0.0), (120, 30.0)])),
        ("empty", series(&[])),
    ]
    .into_iter()
    .map(|(id, value)| (id.to_owned(), value))
    .collect()
}

/// What every search finds here.
fn found() -> Vec<TimeSeries> {
    [("one", 1.0), ("two", 2.0)]
        .map(|(label, value)| TimeSeries {
            period: 60,
            values: [(0, value), (60, 2.0 * value)].into(),
            label: Some(label.into()),
        })
        .into()
}

fn run(text: &str) -> Result<Value, Error> {
    let metrics = ["m1".to_owned(), "m2".to_owned()];
    let (named, grid) = (named(), Grid { from: 0, until: 240, period: 60 });
    let mut expression = parse(text)?;
    let mut searches = Vec::new();
    expression.searches(&mut searches);
    let found = searches.into_iter().map(|search| (search.clone(), found())).collect();
    Context { named: &named, metrics: &metrics, found: &found, grid }.value(&expression)
}

#[test]
fn computes_series() {
    for (text, expected) in [
        ("m1 + m2", vec![(0, 11.0), (60, 2.0)]),
        ("m1 * 100 / m2", vec![(0, 10.0)]),
        ("-m1 + 2 * 3 ^ 2", vec![(0, 17.0), (60, 16.0), (180, 14.0)]),
        ("(m1 + 1) * 2", vec![(0, 4.0), (60, 6.0), (180, 10.0)]),
        ("SUM([m1, m2])", vec![(0, 11.0), (60, 2.0), (120, 30.0), (180, 4.0)]),
        ("SUM(METRICS())", vec![(0, 11.0), (60, 2.0), (120, 30.0), (180, 4.0)]),
        ("MAX(METRICS(\"m1\"))", vec![(0, 1.0), (60, 2.0), (180, 4.0)]),
        ("AVG([m1,m2])", vec![(0, 5.5), (60, 1.0), (120, 30.0), (180, 4.0)]),
        ("FILL(m1, 0)", vec![(0, 1.0), (60, 2.0), (120, 0.0), (180, 4.0)]),
        ("FILL(m1, REPEAT)", vec![(0, 1.0), (60, 2.0), (120, 2.0), (180, 4.0)]),
        ("FILL(m1, LINEAR)", vec![(0, 1.0), (60, 2.0), (120, 3.0), (180, 4.0)]),
        ("FILL(empty, 7)", vec![(0, 7.0), (60, 7.0), (120, 7.0), (180, 7.0)]),
        ("FILL(IF(0, m1), 5)", vec![(0, 5.0), (60, 5.0), (120, 5.0), (180, 5.0)]),
        ("IF(m1 > 1, m1, 0)", vec![(0, 0.0), (60, 2.0), (180, 4.0)]),
        ("IF(m1 > 1 AND m1 < 4, 5)", vec![(60, 5.0)]),
        ("RATE(m1)", vec![(60, 1.0 / 60.0), (180, 2.0 / 120.0)]),
        ("DIFF(m1)", vec![(60, 1.0), (180, 2.0)]),
        ("RUNNING_SUM(m1)", vec![(0, 1.0), (60, 3.0), (180, 7.0)]),
        ("m1 - MIN(m1)", vec![(0, 0.0), (60, 1.0), (180, 3.0)]),
        ("m1 / PERIOD(m1)", vec![(0, 1.0 / 60.0), (60, 2.0 / 60.0), (180, 4.0 / 60.0)]),
        ("SUM(SEARCH('x', 'Sum', 60))", vec![(0, 3.0), (60, 6.0)]),
        ("m1 + MAX(SEARCH('x', 'Sum'))", vec![(0, 3.0), (60, 6.0)]),
        ("FIRST(SORT(SEARCH('x', 'Sum'), AVG, DESC))", vec![(0, 2.0), (60, 4.0)]),
        ("FIRST(SORT(METRICS(), SUM, ASC))", vec![(0, 1.0), (60, 2.0), (180, 4.0)]),
        ("SUM(SLICE(METRICS(), 1))", vec![(0, 10.0), (60, 0.0), (120, 30.0)]),
        ("SUM(SLICE(METRICS(), 0, 1))", vec![(0, 1.0), (60, 2.0), (180, 4.0)]),
        ("m1 == 2 || m1 >= 4", vec![(0, 0.0), (60, 1.0), (180, 1.0)]),
    ] {
        let found = run(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let Value::Series(found) = found else { panic!("{text}: {found:?}") };
        assert_eq!(found.values.into_iter().collect::<Vec<_>>(), expected, "{text}");
    }
    assert_eq!(run("AVG(m1)").unwrap(), Value::Number(7.0 / 3.0));
    assert_eq!(run("METRIC_COUNT(METRICS())").unwrap(), Value::Number(2.0));
    assert_eq!(run("METRIC_COUNT(SEARCH('x', 'Sum'))").unwrap(), Value::Number(2.0));
    // Functions on each series keep what it is called, in the order of SORT.
    let Value::List(sorted) = run("SORT(RATE(SEARCH('x', 'Sum')), MAX, DESC, 2)").unwrap() else { panic!() };
    assert_eq!(sorted.iter().map(|s| s.label.as_deref()).collect::<Vec<_>>(), [Some("two"), Some("one")]);
}

#[test]
fn refuses_by_name() {
    for (text, code, names) in [
        ("SEARCH(m1, 'Average', 60)", "ValidationError", "SEARCH"),
        ("SEARCH('{AWS/ECS', 'Average', 60)", "ValidationError", "'}' is missing"),
        ("SORT(METRICS(), P99, DESC)", "ValidationError", "P99"),
        ("SORT(METRICS(), AVG, UP)", "ValidationError", "UP"),
        ("SORT(METRICS(), ASC, AVG)", "ValidationError", "SORT"),
        ("SLICE(m1, 1)", "ValidationError", "SLICE"),
        ("FILL(m1, ASC)", "ValidationError", "FILL"),
        ("SELECT(m1)", "NotImplemented", "SELECT"),
        ("NONSENSE(m1)", "ValidationError", "NONSENSE"),
        ("m1 +", "ValidationError", "m1 +"),
        ("m1 m2", "ValidationError", "unexpected"),
        ("m9", "ValidationError", "m9"),
        ("RATE(m1, m2)", "ValidationError", "RATE"),
        ("[m1] + [m2]", "ValidationError", "arrays"),
        ("'open", "ValidationError", "without its end"),
    ] {
        let error = AwsError::from(run(text).unwrap_err());
        assert_eq!((error.code.as_str(), error.message.contains(names)), (code, true), "{text}: {error}");
    }
}

/// Text of any form gives a result or an error, never a panic or an endless loop.
#[test]
fn survives_any_text() {
    let parts = [
        "m1", "(", ")", "[", "]", ",", "+", "-", "^", "FILL(", "IF(", "\"", "'", "1.5", ".", "é", " ", "<",
        "|", "&&",
    ];
    let mut state = 1u64;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(parts[(state >> 33) as usize % parts.len()]);
        }
        let _ = run(&text);
    }
    assert!(run(&"(".repeat(2000)).is_err());
    assert!(run(&"-".repeat(2000)).is_err());
}
