//! Tags of hosted zones and health checks.

use crate::{Error, choices::TagResourceType, health, rules};
use escale_base::{Tag, Wire};
use escale_store::{Image, Tx};
use escale_tables::route53::{HealthCheck, HostedZone};

#[derive(Wire)]
pub(crate) struct TagSet {
    resource_type: TagResourceType,
    resource_id: String,
    pub(crate) tags: Vec<Tag>,
}

pub(crate) fn set(image: &Image, resource_type: TagResourceType, id: &str) -> Result<TagSet, Error> {
    let (resource_id, tags) = match resource_type {
        TagResourceType::Hostedzone => {
            let zone = rules::zone(image, id)?;
            (zone.id.to_string(), zone.tags.clone())
        }
        TagResourceType::Healthcheck => {
            let check = health::find(image, id)?;
            (check.id.to_string(), check.tags.clone())
        }
    };
    Ok(TagSet { resource_type, resource_id, tags })
}

pub(crate) fn put(tx: &mut Tx, set: TagSet) -> Result<(), Error> {
    match set.resource_type {
        TagResourceType::Hostedzone => {
            let zone = rules::zone(tx, &set.resource_id)?;
            tx.put(HostedZone { tags: set.tags, ..(*zone).clone() });
        }
        TagResourceType::Healthcheck => {
            let check = health::find(tx, &set.resource_id)?;
            tx.put(HealthCheck { tags: set.tags, ..(*check).clone() });
        }
    }
    Ok(())
}

/// The ARN for authorization.
pub(crate) fn arn(resource_type: TagResourceType, id: &str) -> String {
    match resource_type {
        TagResourceType::Hostedzone => rules::zone_arn(id),
        TagResourceType::Healthcheck => health::arn(id),
    }
}
