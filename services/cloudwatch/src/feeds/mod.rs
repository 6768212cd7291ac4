//! Values that the planes report: usage of tasks and databases, counters of load balancers, distributions and NAT gateways, sizes of
//! buckets; and the status of health checks.
//!
//! Every 20 seconds of the cloud's clock one pass reads what is due. A value belongs to the interval before the pass, and has the
//! time at which that interval began, as on AWS. Counters begin anew when the process that counts does, so each pass adds what was
//! counted since the last one. What cannot be read has no value: nothing is estimated or repeated.

mod batch;
mod buckets;
mod counters;
mod databases;
mod distributions;
mod health_checks;
mod insights;
mod load_balancers;
mod nat_gateways;
mod tasks;

use crate::Planes;
use batch::Batch;
use counters::Counters;
use escale_base::Timestamp;
use escale_service::Cloud;
use escale_store::Store;
use std::{sync::Arc, time::Duration};

/// Seconds between two passes, and the finest resolution of the metrics of ECS.
const PASS_SECS: i64 = 20;

/// The intervals of one pass.
#[derive(Clone, Copy, Debug)]
struct Pass {
    /// Seconds.
    now: i64,
    /// Seconds between passes.
    short: i64,
    /// Seconds of a minute of the cloud's clock.
    minute: i64,
}

impl Pass {
    fn new(now: Timestamp, speed: i64) -> Pass {
        let (short, minute) = ((PASS_SECS / speed).max(1), (60 / speed).max(1));
        Pass { now: now.secs().div_euclid(short) * short, short, minute }
    }

    fn ends_a_minute(self) -> bool {
        self.now % self.minute == 0
    }

    fn ends_a_day(self) -> bool {
        self.now % (self.minute * 1440) == 0
    }

    /// Milliseconds from `now` until the next pass.
    fn wait_ms(self, now: Timestamp) -> u64 {
        let next = (self.now + self.short) * 1000;
        u64::try_from(next - now.0).unwrap_or(1).max(1)
    }
}

/// Reads the planes until the daemon ends.
pub(crate) async fn run(store: Store, cloud: Arc<Cloud>, planes: Planes) {
    let speed = cloud.config.clock_speed;
    let mut counters = Counters::new(cloud.clock.now());
    loop {
        let now = cloud.clock.now();
        // Until the boundary itself: a pass covers whole intervals.
        tokio::time::sleep(Duration::from_millis(Pass::new(now, speed).wait_ms(now))).await;
        let pass = Pass::new(cloud.clock.now(), speed);
        let mut batch = Batch::new(pass, speed > 1);
        tasks::read(&store, &*planes.containers, &mut counters, &mut batch).await;
        if pass.ends_a_minute() {
            load_balancers::read(&store, &*planes.proxies, &mut counters, &mut batch).await;
            health_checks::read(&store.read(), &mut batch);
            distributions::read(&store, &*planes.cdn, &mut counters, &mut batch).await;
            if let Some(postgres) = &planes.postgres {
                databases::read(&store, &**postgres, &mut counters, &mut batch).await;
            }
            insights::read(&store, &*planes.containers, &*planes.network, &mut counters, &mut batch).await;
            nat_gateways::read(&store, &*planes.network, &mut counters, &mut batch).await;
            counters.forget_unused();
        }
        if pass.ends_a_day() {
            buckets::read(&store, &*planes.objects, &mut batch).await;
        }
        if let Err(error) = planes.metrics.put(batch.into_data(), cloud.clock.now()).await {
            tracing::warn!(%error, "values of metrics are lost");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_end_at_whole_intervals() {
        let at = |ms, speed| Pass::new(Timestamp(ms), speed);
        let pass = at(125_300, 1);
        assert_eq!((pass.now, pass.ends_a_minute(), pass.wait_ms(Timestamp(125_300))), (120, true, 14_700));
        assert!(!at(141_000, 1).ends_a_minute());
        let fast = at(125_300, 60);
        assert_eq!((fast.now, fast.minute, fast.ends_a_minute()), (125, 1, true));
    }
}
