//! Tags of hosted zones. AWS also has tags of health checks, which do not exist here.

use crate::{Error, choices::TagResourceType, rules};
use escale_base::{Tag, Wire};
use escale_store::Image;
use escale_tables::route53::{HostedZone, HostedZoneId};

#[derive(Wire)]
pub(crate) struct TagSet {
    resource_type: TagResourceType,
    resource_id: HostedZoneId,
    pub(crate) tags: Vec<Tag>,
}

pub(crate) fn zone(image: &Image, resource_type: TagResourceType, id: &str) -> Result<HostedZone, Error> {
    if resource_type != TagResourceType::Hostedzone {
        return Err(Error::NoHealthCheck);
    }
    rules::zone(image, id).map(|zone| HostedZone::clone(&zone))
}

pub(crate) fn set(zone: &HostedZone) -> TagSet {
    TagSet {
        resource_type: TagResourceType::Hostedzone,
        resource_id: zone.id.clone(),
        tags: zone.tags.clone(),
    }
}
