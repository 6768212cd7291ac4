//! The figures of a drill, as text and as JSON.

use super::{Kind, chart, load::Sample, rows::Written, timeline::Entry};
use escale_base::Timestamp;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

pub(super) struct Figures {
    pub(super) kind: Kind,
    pub(super) application: String,
    pub(super) name: String,
    pub(super) begun: Instant,
    pub(super) fault: Instant,
    pub(super) fault_at: Timestamp,
    pub(super) lifted: Instant,
    /// From the fault to the end of the last failure; `None`: not before the limit.
    pub(super) users_fine: Option<Duration>,
    /// From the fault until everything was in its normal state.
    pub(super) settled: Option<Duration>,
    pub(super) samples: Vec<Sample>,
    pub(super) written: Option<Written>,
    /// Connections to the Internet from the zone of a broken NAT gateway.
    pub(super) egress: Option<Vec<(Instant, bool)>>,
    pub(super) timeline: Vec<Entry>,
}

impl Figures {
    fn rows_lost(&self) -> usize {
        self.written.as_ref().map_or(0, |w| w.lost)
    }

    /// Why the drill fails, each in a sentence.
    pub(super) fn failures(&self, max_error_seconds: Option<usize>) -> Vec<String> {
        let mut found = Vec::new();
        if self.users_fine.is_none() {
            found.push("users were not fine again within the limit".to_owned());
        }
        if self.settled.is_none() {
            found.push("the application was not steady again within the limit".to_owned());
        }
        if self.rows_lost() > 0 {
            found.push(format!("{} acknowledged rows are lost", self.rows_lost()));
        }
        let seconds = self.error_seconds();
        if let Some(most) = max_error_seconds.filter(|most| seconds > *most) {
            found.push(format!(
                "requests failed in {seconds} different seconds, and --max-error-seconds is {most}"
            ));
        }
        found
    }

    fn failed(&self) -> usize {
        self.samples.iter().filter(|s| s.error.is_some()).count()
    }

    /// The whole seconds in which at least one request began that failed: "errored seconds", as ITU-T G.826 counts them.
    fn error_seconds(&self) -> usize {
        let failed = self.samples.iter().filter(|s| s.error.is_some());
        failed.map(|s| (s.begun - self.begun).as_secs()).collect::<BTreeSet<_>>().len()
    }

    fn egress_error_seconds(&self) -> Option<usize> {
        let all = self.egress.as_ref()?;
        let failed = all.iter().filter(|(_, done)| !done);
        Some(
            failed
                .map(|(at, _)| at.saturating_duration_since(self.begun).as_secs())
                .collect::<BTreeSet<_>>()
                .len(),
        )
    }

    /// A percentile of the answered requests, by the nearest-rank method.
    fn percentile(&self, percent: usize) -> Option<f64> {
        let answered = self.samples.iter().filter(|s| s.error.is_none());
        let mut all: Vec<Duration> = answered.map(|s| s.took).collect();
        all.sort_unstable();
        let rank = (all.len() * percent).div_ceil(100).max(1);
        all.get(rank - 1).map(|took| (took.as_secs_f64() * 10_000.0).round() / 10.0)
    }

    /// The first entry of a service after the fault.
    fn noticed(&self) -> Option<&Entry> {
        self.timeline.iter().find(|e| !matches!(e.by, "drill" | "users"))
    }

    fn ms(&self, at: Timestamp) -> i64 {
        at.since_ms(self.fault_at)
    }
}

pub(super) fn json(f: &Figures, failures: &[String]) -> Value {
    let entry = |e: &Entry| json!({"at_ms": f.ms(e.at), "by": e.by, "what": e.what});
    let ms = |d: Option<Duration>| d.map(|d| d.as_millis());
    let mut value = json!({
        "drill": f.kind.name(), "app": f.application, "fault": f.name,
        "error_seconds": f.error_seconds(), "failed_requests": f.failed(), "requests": f.samples.len(),
        "rows_acknowledged": f.written.as_ref().map(|w| w.acknowledged.len()),
        "rows_lost": f.written.as_ref().map(|w| w.lost),
        "longest_pause_ms": ms(f.written.as_ref().map(Written::longest_pause)),
        "rows_with_a_warning": f.written.as_ref().map(|w| w.warned),
        "p50_ms": f.percentile(50), "p99_ms": f.percentile(99),
        "noticed": f.noticed().map(entry),
        "users_fine_ms": ms(f.users_fine), "steady_ms": ms(f.settled),
        "failures": failures,
        "timeline": f.timeline.iter().map(entry).collect::<Vec<_>>(),
    });
    if let Some(all) = &f.egress {
        let failed = all.iter().filter(|(_, done)| !done).count();
        value["egress"] = json!({
            "connections": all.len(), "failed": failed, "error_seconds": f.egress_error_seconds(),
        });
    }
    value
}

fn after(d: Option<Duration>, what: &str) -> String {
    match d {
        Some(d) if d.is_zero() => format!("{what} all the time"),
        Some(d) => format!("{what} after {:.1} s", d.as_secs_f64()),
        None => format!("not {what} within the limit"),
    }
}

pub(super) fn text(f: &Figures, failures: &[String]) -> String {
    let mut lines = vec![format!("{}: {}", f.application, f.name), String::new()];
    for e in &f.timeline {
        let seconds = f64::from(i32::try_from(f.ms(e.at)).unwrap_or(i32::MAX)) / 1000.0;
        lines.push(format!("{seconds:>8.1} s  {:<21}{}", e.by, e.what));
    }
    lines.push(String::new());
    lines.extend(chart::draw(f));
    lines.push(String::new());
    let ms = |p: Option<f64>| p.map_or("-".to_owned(), |ms| format!("{ms} ms"));
    lines.push(format!(
        "requests  {}, of which {} failed, in {} different seconds; median {}, 99 % within {}",
        f.samples.len(),
        f.failed(),
        f.error_seconds(),
        ms(f.percentile(50)),
        ms(f.percentile(99))
    ));
    if let Some(w) = &f.written {
        let warned = if w.warned == 0 {
            String::new()
        } else {
            format!("; {} commits returned with a warning", w.warned)
        };
        lines.push(format!(
            "rows      {} acknowledged, of which {} are lost; the longest pause between two took {} ms{warned}",
            w.acknowledged.len(),
            w.lost,
            w.longest_pause().as_millis()
        ));
    }
    if let (Some(all), Some(seconds)) = (&f.egress, f.egress_error_seconds()) {
        lines.push(format!(
            "egress    {} connections from the zone to the Internet, failed in {seconds} different seconds",
            all.len()
        ));
    }
    let noticed = f.noticed().map_or("no service noticed it".to_owned(), |e| {
        format!(
            "first noticed after {:.1} s by {}",
            f64::from(i32::try_from(f.ms(e.at)).unwrap_or(0)) / 1000.0,
            e.by
        )
    });
    let (fine, steady) = (after(f.users_fine, "fine"), after(f.settled, "steady"));
    lines.push(format!("outcome   {noticed}; users were {fine}; the application was {steady}"));
    lines.extend(failures.iter().map(|why| format!("FAILED    {why}")));
    lines.join("\n")
}
