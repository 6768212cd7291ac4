//! What the manifest of an environment promises, from the template that it becomes.

use escale_blueprint::{Count, Manifest};
use escale_proof::{
    survey::{Survey, references, text_of},
    verify::{Behaviour, Protocol},
};
use serde_json::Value;

/// AWS's managed cache policy that caches nothing.
/// Source: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html>
const CACHING_DISABLED: &str = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad";

/// A behaviour, and the template's references that only a deployed stack resolves.
pub(super) struct Promised {
    pub(super) behaviour: Behaviour,
    /// The logical id of the bucket that it serves.
    pub(super) bucket: Option<String>,
    /// An id, or the logical id of a policy.
    pub(super) headers_policy: Option<String>,
}

/// In the order in which the distribution compares them; the default one is the last.
pub(super) fn behaviours(survey: &Survey) -> Vec<Promised> {
    let configs = survey.of_kind("AWS::CloudFront::Distribution").map(|r| r.get("/DistributionConfig"));
    configs.flat_map(of_distribution).collect()
}

fn of_distribution(config: &Value) -> Vec<Promised> {
    let listed = config["CacheBehaviors"].as_array().into_iter().flatten();
    let default = &config["DefaultCacheBehavior"];
    let listed = listed.map(|one| (one["PathPattern"].as_str().unwrap_or_default(), one));
    listed.chain([("*", default)]).map(|(pattern, one)| promised(config, pattern, one)).collect()
}

fn promised(config: &Value, pattern: &str, one: &Value) -> Promised {
    let mut origins = config["Origins"].as_array().into_iter().flatten();
    let origin = origins.find(|origin| origin["Id"] == one["TargetOriginId"]);
    let first = |value: &Value| references(value).into_iter().next().map(|reference| reference.to);
    let bucket = origin.filter(|origin| origin["S3OriginConfig"].is_object());
    let behaviour = Behaviour {
        pattern: pattern.to_owned(),
        protocol: match one["ViewerProtocolPolicy"].as_str() {
            Some("redirect-to-https") => Protocol::RedirectToHttps,
            Some("https-only") => Protocol::HttpsOnly,
            _ => Protocol::AllowAll,
        },
        is_cached: one["CachePolicyId"] != CACHING_DISABLED,
        is_signed: one["TrustedKeyGroups"].as_array().is_some_and(|groups| !groups.is_empty()),
        ..Behaviour::default()
    };
    let policy = &one["ResponseHeadersPolicyId"];
    Promised {
        behaviour,
        bucket: bucket.and_then(|origin| first(&origin["DomainName"])),
        headers_policy: first(policy).or_else(|| text_of(policy)),
    }
}

/// Paths that answer 200 while the application is healthy: those of the load balancer's health checks, by which a viewer reaches the
/// same service.
pub(super) fn pages(manifest: &Manifest) -> Vec<String> {
    let health = |pattern: &str, health: &str| {
        let prefix = pattern.trim_end_matches('*');
        health.starts_with(prefix).then(|| health.to_owned())
    };
    let public = manifest.services.iter().filter_map(|s| Some((s, s.path.as_deref()?)));
    let mut pages: Vec<String> = public.filter_map(|(s, path)| health(path, &s.health.path)).collect();
    pages.sort();
    pages.dedup();
    pages
}

/// In how many zones a service has tasks.
pub(super) fn zones_of(manifest: &Manifest, service: &str) -> usize {
    let found = manifest.services.iter().find(|s| s.name == service);
    let tasks = found.map_or(0, |s| match s.count {
        Count::Fixed(count) => count,
        Count::Scaled(scale) => scale.min,
    });
    usize::try_from(tasks.min(manifest.network.azs)).unwrap_or(usize::MAX)
}
