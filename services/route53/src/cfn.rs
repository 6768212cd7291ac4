//! The resource types `AWS::Route53::*`, implemented with this service's operations.

mod health_check;
mod sets;
#[cfg(test)]
mod tests;
mod zone;

use crate::{rules, system};
use escale_base::{
    AwsError,
    wire::{Map, Value},
};
use escale_service::{Created, Readiness, ResourceType, Resources};
use escale_store::Image;
use escale_tables::route53::{CanonicalName, Change, DnsApplied};

pub(crate) fn types() -> Resources {
    vec![
        ResourceType::new(
            "AWS::Route53::HostedZone",
            &["Name", "HostedZoneConfig", "HostedZoneTags", "VPCs"],
            zone::create,
            zone::delete,
        )
        .ready(in_sync)
        .gone(zone::gone)
        .update(zone::update)
        .read(zone::read),
        ResourceType::new(
            "AWS::Route53::HealthCheck",
            &["HealthCheckConfig", "HealthCheckTags"],
            health_check::create,
            health_check::delete,
        )
        .gone(health_check::gone)
        .update(health_check::update)
        .read(health_check::read),
        ResourceType::new("AWS::Route53::RecordSet", sets::PROPERTIES, sets::create_one, sets::delete)
            .ready(in_sync)
            .gone(sets::gone)
            .update(sets::update_one)
            // "Update requires: Replacement", because the name is the physical id:
            // <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-route53-recordset.html>
            .replaces_if(|change| change.property == "Name")
            .read(sets::read_one),
        ResourceType::new(
            "AWS::Route53::RecordSetGroup",
            &["HostedZoneId", "HostedZoneName", "Comment", "RecordSets"],
            sets::create_group,
            sets::delete,
        )
        .ready(in_sync)
        .gone(sets::gone)
        .update(sets::update_group)
        .read(sets::read_group),
    ]
}

/// Private values: the change to wait for, and the spelling of names in the template.
const CHANGE: &str = "ChangeId";
const SPELLINGS: &str = "Spellings";

/// The names of a template by their canonical form. Route 53 returns the canonical form, and a template that spells a name in
/// another way has not drifted.
#[derive(Default)]
struct Spellings(Map<String, Value>);

impl Spellings {
    fn of(created: &Created) -> Spellings {
        Spellings(created.private.get(SPELLINGS).and_then(Value::as_object).cloned().unwrap_or_default())
    }

    fn add(&mut self, written: &str) -> Result<(), AwsError> {
        // The prefix is removed from the names of load balancers, see `record::read`.
        let canonical = rules::domain_name(written.trim_start_matches("dualstack."))?;
        self.0.insert(canonical.0, written.into());
        Ok(())
    }

    fn spell(&self, canonical: &CanonicalName) -> String {
        let written = self.0.get(canonical.as_str()).and_then(Value::as_str);
        written.unwrap_or(canonical).to_owned()
    }
}

/// A change without a row was purged, so it is in sync.
fn in_sync(image: &Image, created: &Created) -> Readiness {
    let Ok(change) = created.attribute(CHANGE) else {
        return Readiness::Failed("The id of its change is not known".into());
    };
    let change = image.get::<Change>(&rules::change_id(change));
    let applied = image.get::<DnsApplied>(DnsApplied::KEY).map_or(0, |a| a.sequence);
    match change {
        Some(change) if change.sequence > applied => {
            Readiness::Pending(format!("{} does not serve the change yet", system::NAME_SERVER))
        }
        _ => Readiness::ready(),
    }
}
