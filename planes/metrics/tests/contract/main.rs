//! The contract of every metrics plane, on the real one and on the fake.
#![allow(clippy::unwrap_used)] // a test may panic

use escale_base::Timestamp;
use escale_metrics::{
    Datum, Distribution, Fake, FileMetrics, Metrics, RINGS, SERIES, Series, Summary, Window,
};

const DAY: i64 = 86_400;
/// Midnight.
const NOW: i64 = 20_000 * DAY;

fn series(name: &str) -> Series {
    let labels = vec![("group".to_owned(), "web".to_owned())];
    Series { space: "test".into(), name: name.into(), labels, unit: "Percent".into() }
}

fn value(name: &str, at: i64, value: f64) -> Datum {
    Datum { series: series(name), at: Timestamp(at * 1000), fine: false, summary: Summary::of(value) }
}

async fn put(plane: &dyn Metrics, data: Vec<Datum>) {
    plane.put(data, Timestamp(NOW * 1000)).await.unwrap();
}

/// Time, count and sum of each point.
async fn read(
    plane: &dyn Metrics,
    name: &str,
    from: i64,
    until: i64,
    step_secs: i64,
) -> Vec<(i64, f64, f64)> {
    let points = plane.read(&series(name), Window { from, until, step_secs }).await.unwrap();
    points.iter().map(|p| (p.at - NOW, p.summary.count, p.summary.sum)).collect()
}

async fn sums_up_by_step(plane: &dyn Metrics) {
    put(plane, vec![value("cpu", NOW + 5, 10.0), value("cpu", NOW + 65, 20.0), value("cpu", NOW + 70, 6.0)])
        .await;
    assert_eq!(read(plane, "cpu", NOW, NOW + 600, 60).await, [(0, 1.0, 10.0), (60, 2.0, 26.0)]);
    assert_eq!(read(plane, "cpu", NOW, NOW + 600, 300).await, [(0, 3.0, 36.0)]);
    assert_eq!(read(plane, "cpu", NOW, NOW + 3600, 3600).await, [(0, 3.0, 36.0)]);
    // A step that begins within five minutes is read from minutes.
    assert_eq!(read(plane, "cpu", NOW + 60, NOW + 600, 300).await, [(60, 2.0, 26.0)]);
    assert_eq!(read(plane, "cpu", NOW, NOW + 60, 60).await, [(0, 1.0, 10.0)], "the end is exclusive");
    assert_eq!(
        read(plane, "cpu", NOW, NOW + 60, 1).await,
        [],
        "seconds are kept only if the datum asks for it"
    );
    assert_eq!(read(plane, "none", NOW, NOW + 60, 60).await, []);
    let mut other = series("cpu");
    other.unit = "Count".into();
    assert!(
        plane.read(&other, Window { from: NOW, until: NOW + 60, step_secs: 60 }).await.unwrap().is_empty()
    );
}

async fn keeps_seconds(plane: &dyn Metrics) {
    let fine = |at, v| Datum { fine: true, ..value("fine", at, v) };
    put(plane, vec![fine(NOW, 1.0), fine(NOW + 20, 2.0), fine(NOW + 21, 3.0)]).await;
    assert_eq!(read(plane, "fine", NOW, NOW + 60, 20).await, [(0, 1.0, 1.0), (20, 2.0, 5.0)]);
    assert_eq!(read(plane, "fine", NOW, NOW + 60, 60).await, [(0, 3.0, 6.0)]);
}

async fn knows_distributions(plane: &dyn Metrics) {
    let many = |at: i64| {
        let values = || (1..=20).map(|v| (f64::from(v), 2.0));
        let distribution = Some(Distribution::from_counts(values()));
        let summary = Summary { count: 40.0, sum: 420.0, min: 1.0, max: 20.0, distribution };
        Datum { summary, ..value("latency", at, 0.0) }
    };
    put(plane, vec![many(NOW), many(NOW + 60)]).await;
    let window = Window { from: NOW, until: NOW + 300, step_secs: 300 };
    let point = plane.read(&series("latency"), window).await.unwrap().remove(0).summary;
    assert_eq!((point.count, point.min, point.max), (80.0, 1.0, 20.0));
    let median = point.distribution.unwrap().quantile(0.5).unwrap();
    assert!((median - 10.5).abs() < 0.6, "{median}");
    // A statistic set without a distribution makes that of the whole step unknown.
    let bare = Summary {
        distribution: None,
        ..Summary { count: 3.0, sum: 9.0, min: 1.0, max: 5.0, distribution: None }
    };
    put(plane, vec![Datum { summary: bare, ..value("latency", NOW + 120, 0.0) }]).await;
    let point = plane.read(&series("latency"), window).await.unwrap().remove(0).summary;
    assert_eq!((point.count, point.distribution), (83.0, None));
}

async fn forgets_the_oldest(plane: &dyn Metrics) {
    let lap = RINGS[1].slots * 60;
    put(plane, vec![value("old", NOW, 1.0), value("old", NOW + 60, 2.0), value("old", NOW + lap, 3.0)]).await;
    assert_eq!(read(plane, "old", NOW, NOW + 120, 60).await, [(60, 1.0, 2.0)], "the same slot one lap later");
    assert_eq!(
        read(plane, "old", NOW, NOW + 300, 300).await,
        [(0, 2.0, 3.0)],
        "longer steps are kept longer"
    );
    put(plane, vec![value("old", NOW, 9.0)]).await;
    assert_eq!(
        read(plane, "old", NOW + lap, NOW + lap + 60, 60).await,
        [(lap, 1.0, 3.0)],
        "a late value replaces no newer one"
    );
}

async fn lists(plane: &dyn Metrics) {
    let listed = plane.list().await.unwrap();
    let names: Vec<&str> = listed.iter().map(|l| l.series.name.as_str()).collect();
    assert_eq!(names, ["cpu", "fine", "latency", "old"]);
    assert!(listed.iter().all(|l| l.written.0 >= NOW * 1000));
}

async fn contract(plane: &dyn Metrics) {
    sums_up_by_step(plane).await;
    keeps_seconds(plane).await;
    knows_distributions(plane).await;
    forgets_the_oldest(plane).await;
    lists(plane).await;
}

#[tokio::test]
async fn in_memory() {
    contract(&Fake::default()).await;
}

#[tokio::test]
async fn in_a_folder_that_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    contract(&FileMetrics::open(dir.path()).unwrap()).await;
    let again = FileMetrics::open(dir.path()).unwrap();
    assert_eq!(read(&again, "cpu", NOW, NOW + 600, 60).await, [(0, 1.0, 10.0), (60, 2.0, 26.0)]);
    assert_eq!(again.list().await.unwrap().len(), 4);
}

#[tokio::test]
async fn a_new_series_replaces_one_without_values_only() {
    let dir = tempfile::tempdir().unwrap();
    let plane = FileMetrics::open(dir.path()).unwrap();
    let all = (0..SERIES).map(|i| value(&format!("m{i:04}"), NOW, 1.0)).collect();
    put(&plane, all).await;
    let refused = plane.put(vec![value("more", NOW, 1.0)], Timestamp(NOW * 1000)).await.unwrap_err();
    assert!(refused.what.contains("test/more"), "{refused}");
    let later = Timestamp((NOW + 2 * DAY) * 1000);
    plane
        .put(vec![value("m0000", NOW + 2 * DAY, 1.0), value("more", NOW + 2 * DAY, 1.0)], later)
        .await
        .unwrap();
    let listed = plane.list().await.unwrap();
    assert_eq!(listed.len(), SERIES);
    assert!(listed.iter().any(|l| l.series.name == "m0000"), "it had a value just now");
}

/// Bytes that another program damaged cost at most the damaged slots.
#[tokio::test]
async fn damaged_files_are_survived() {
    let dir = tempfile::tempdir().unwrap();
    let plane = FileMetrics::open(dir.path()).unwrap();
    put(&plane, vec![value("cpu", NOW, 1.0), value("mem", NOW, 2.0)]).await;
    drop(plane);
    let index = std::fs::read_to_string(dir.path().join("series")).unwrap();
    std::fs::write(dir.path().join("series"), format!("{index}not json\n{{\"id\":7")).unwrap();
    let mut bytes = std::fs::read(dir.path().join("00000000.slots")).unwrap();
    for (i, byte) in bytes.iter_mut().enumerate().filter(|(_, b)| **b != 0) {
        *byte ^= i as u8 | 1;
    }
    std::fs::write(dir.path().join("00000000.slots"), bytes).unwrap();
    let plane = FileMetrics::open(dir.path()).unwrap();
    assert_eq!(read(&plane, "cpu", NOW, NOW + 60, 60).await, []);
    assert_eq!(read(&plane, "mem", NOW, NOW + 60, 60).await, [(0, 1.0, 2.0)]);
    put(&plane, vec![value("cpu", NOW, 4.0)]).await;
    assert_eq!(read(&plane, "cpu", NOW, NOW + 60, 60).await, [(0, 1.0, 4.0)]);
}
