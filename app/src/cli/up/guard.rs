//! Watches a release whose stack is complete but whose health checks have changed.
//!
//! CloudFormation takes a changed health check for done at once, as on AWS, although it may never pass. The targets show it after
//! as many checks as the threshold says, so `up` waits for these.

use super::Phases;
use crate::cli::{
    changes::{Changes, Kind},
    client::Client,
};
use anyhow::{Result, bail};
use escale_wire::Element;
use std::time::{Duration, Instant};

const GROUP: &str = "AWS::ElasticLoadBalancingV2::TargetGroup";

/// Pause between two looks at the targets.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Fails if a target does not pass the checks that the changes have brought.
#[allow(clippy::disallowed_methods)] // the duration is what AWS's own check takes
pub(super) async fn checks_pass(client: &Client, changes: &Changes, phases: &mut Phases) -> Result<()> {
    let is_check =
        |name: &str| name.starts_with("Health") || name.starts_with("Unhealthy") || name == "Matcher";
    let concerned = |change: &&crate::cli::changes::Change| {
        change.type_name == GROUP && change.kind == Kind::Change && change.properties().any(is_check)
    };
    for change in changes.0.iter().filter(concerned) {
        phases.begin("health checks");
        phases.set_message(format!("waiting for the new checks of {}", change.logical));
        let named = [("TargetGroupArns.member.1".to_owned(), change.physical.clone())];
        let found = client.query("elbv2", "DescribeTargetGroups", &named).await?;
        let Some(group) = found.list("TargetGroups").first() else { continue };
        let end = Instant::now() + Duration::from_secs(decided_after(group));
        let named = [("TargetGroupArn".to_owned(), change.physical.clone())];
        while Instant::now() < end {
            let found = client.query("elbv2", "DescribeTargetHealth", &named).await?;
            let mut health =
                found.list("TargetHealthDescriptions").iter().filter_map(|d| d.find("TargetHealth"));
            if let Some(bad) = health.find(|h| h.text_of("State") == "unhealthy") {
                bail!(
                    "the targets of {} do not pass the new health check {}: {}",
                    change.logical,
                    group.text_of("HealthCheckPath"),
                    bad.text_of("Description")
                );
            }
            client.pause(LOOK_AGAIN).await;
        }
    }
    Ok(())
}

/// The seconds after which a target that fails every check is unhealthy.
fn decided_after(group: &Element) -> u64 {
    let number = |name: &str| group.text_of(name).parse::<u64>().unwrap_or(0);
    let (interval, timeout) = (number("HealthCheckIntervalSeconds"), number("HealthCheckTimeoutSeconds"));
    interval * number("UnhealthyThresholdCount") + timeout + 1
}
