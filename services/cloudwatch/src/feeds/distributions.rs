//! Requests of distributions, and what was downloaded.
//!
//! AWS has these metrics in us-east-1 only; here they are in the region of the installation, the only one.
//!
//! Source: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/programming-cloudwatch-metrics.html>

use super::{
    batch::{Batch, Name},
    counters::Counters,
};
use crate::choices::StandardUnit;
use escale_cdn::Cdn;
use escale_metrics::Summary;
use escale_store::Store;
use escale_tables::cloudfront::Distribution;

pub(super) async fn read(store: &Store, cdn: &dyn Cdn, counters: &mut Counters, batch: &mut Batch) {
    let distributions: Vec<_> =
        store.read().scan::<Distribution>().map(|d| (d.id.to_string(), d.modified)).collect();
    for (id, modified) in distributions {
        let Ok(Some(counts)) = cdn.counts(&id).await else { continue };
        let now = batch.pass.now;
        let mut since =
            |what: &str, value| counters.since(format!("{id}/{what}"), value, modified, now) as f64;
        let (requests, hits) = (since("requests", counts.requests), since("hits", counts.hits));
        let (s4xx, s5xx) = (since("4xx", counts.s4xx), since("5xx", counts.s5xx));
        let downloaded = since("downloaded", counts.downloaded_bytes);
        let labels: &[(&str, &str)] = &[("DistributionId", &id), ("Region", "Global")];
        let mut report = |name, unit, summary: Summary| {
            batch.minute(Name { space: "AWS/CloudFront", name, unit }, &[labels], &summary);
        };
        // A download that lasts longer than a minute has bytes in minutes without a request.
        if requests > 0.0 || downloaded > 0.0 {
            report("BytesDownloaded", StandardUnit::None, Summary::of(downloaded));
        }
        if requests == 0.0 {
            continue;
        }
        report("Requests", StandardUnit::None, Summary::of(requests));
        // A rate counts each request, so that the average of longer periods is right.
        let rate = |part: f64| {
            let mut summary = Summary::repeated(part / requests * 100.0, requests);
            (summary.min, summary.max) = (summary.sum / requests, summary.sum / requests);
            summary
        };
        report("4xxErrorRate", StandardUnit::Percent, rate(s4xx));
        report("5xxErrorRate", StandardUnit::Percent, rate(s5xx));
        report("TotalErrorRate", StandardUnit::Percent, rate(s4xx + s5xx));
        report("CacheHitRate", StandardUnit::Percent, rate(hits));
    }
}
