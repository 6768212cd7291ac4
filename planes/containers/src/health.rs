//! Health checks: a command in the container, counted by Docker's rules.
//!
//! Source: <https://docs.docker.com/reference/dockerfile/#healthcheck>

use crate::{driver::Group, host::Host, seen::Health, spec::HealthCheck};
use escale_base::Timestamp;
use std::{sync::Arc, time::Duration};

/// Runs until it is aborted: when the container or the daemon ends.
pub(crate) async fn probe<H: Host>(
    group: Arc<Group<H>>,
    container: String,
    check: HealthCheck,
    started_at: Timestamp,
) {
    let timeout = Duration::from_millis(check.timeout_ms);
    let mut failures = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(check.interval_ms)).await;
        let begun = group.clock.now();
        let result = group.host.exec(&group.spec.id, &container, &check.command, timeout).await;
        if result.is_ok_and(|out| out.code == 0) {
            failures = 0;
            group.set_health(&container, Health::Healthy);
            continue;
        }
        let in_start_period =
            begun.since_ms(started_at) < i64::try_from(check.start_period_ms).unwrap_or(i64::MAX);
        // A failure during the start period is not counted, a success ends the series of failures in any case.
        if !in_start_period {
            failures += 1;
        }
        if failures >= check.retries {
            group.set_health(&container, Health::Unhealthy);
        }
    }
}
