//! The status of Route 53's health checks, once a minute.
//!
//! AWS has these metrics in us-east-1 only; here they are in the region of the installation, the only one.
//!
//! Source: <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/monitoring-cloudwatch.html>

use super::batch::{Batch, Name};
use crate::choices::StandardUnit;
use escale_metrics::Summary;
use escale_store::Image;
use escale_tables::route53::{HealthCheck, HealthCheckType, healthy_children, is_healthy};

pub(super) fn read(image: &Image, batch: &mut Batch) {
    for check in image.scan::<HealthCheck>() {
        let labels: &[(&str, &str)] = &[("HealthCheckId", check.id.as_str())];
        let mut report = |name, unit, value| {
            batch.minute(Name { space: "AWS/Route53", name, unit }, &[labels], &Summary::of(value));
        };
        let status = if is_healthy(image, &check.id) { 1.0 } else { 0.0 };
        report("HealthCheckStatus", StandardUnit::None, status);
        if check.config.kind == HealthCheckType::Calculated {
            let healthy = healthy_children(image, &check.config);
            report("ChildHealthCheckHealthyCount", StandardUnit::Count, healthy as f64);
        }
    }
}
