//! Shapes that several operations return, by resource.

pub(crate) mod address;
pub(crate) mod dhcp;
pub(crate) mod flow_log;
pub(crate) mod gateway;
pub(crate) mod group;
pub(crate) mod interface;
pub(crate) mod ipv6;
pub(crate) mod network_acl;
pub(crate) mod peering;
pub(crate) mod route_table;
pub(crate) mod subnet;
pub(crate) mod unsuccessful;
pub(crate) mod vpc;

use crate::{Error, choices::ResourceType, error::Limit};
use escale_base::{Tag, Wire};

/// Tags for a new resource: `TagSpecifications=[{ResourceType, Tags}]`.
#[derive(Clone, Debug, Wire)]
pub(crate) struct TagSpecification {
    pub resource_type: Option<ResourceType>,
    pub tags: Vec<Tag>,
}

/// The tags for a resource of this type. A specification for another type is an error, as on AWS.
pub(crate) fn tags_for(
    specifications: &[TagSpecification],
    resource_type: ResourceType,
) -> Result<Vec<Tag>, Error> {
    let mut tags = Vec::new();
    for specification in specifications {
        if specification.resource_type != Some(resource_type) {
            let named = specification.resource_type.map_or("", ResourceType::as_str);
            let why = format!("This operation creates a resource of type '{resource_type}'.");
            return Err(Error::invalid("tagSpecification", named, why));
        }
        escale_base::tags::merge(&mut tags, specification.tags.clone());
    }
    check_tags(&tags)?;
    Ok(tags)
}

/// Checks AWS's limits: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions>
pub(crate) fn check_tags(tags: &[Tag]) -> Result<(), Error> {
    // AWS's own tags do not count towards the quota.
    let counted = tags.iter().filter(|t| !t.key.starts_with("aws:")).count();
    let max = Limit::Tags.max();
    if counted > max {
        return Err(Error::TooMany(
            Limit::Tags,
            format!("You have reached the maximum number of tags: {max}"),
        ));
    }
    for tag in tags {
        if tag.key.is_empty() || tag.key.chars().count() > 128 {
            return Err(Error::invalid("tag key", &tag.key, "Tag keys have 1 to 128 characters."));
        }
        if tag.value.chars().count() > 256 {
            return Err(Error::invalid("tag value", &tag.value, "Tag values have at most 256 characters."));
        }
    }
    Ok(())
}

/// `{"Value": true}`: EC2's form of an optional boolean.
#[derive(Clone, Copy, Debug, Wire)]
pub(crate) struct Flag {
    pub value: Option<bool>,
}

impl Flag {
    pub(crate) fn of(value: bool) -> Option<Flag> {
        Some(Flag { value: Some(value) })
    }

    /// The value in a request, if the request has this parameter.
    pub(crate) fn requested(flag: &Option<Flag>) -> Option<bool> {
        flag.and_then(|f| f.value)
    }
}

/// `{"Value": "text"}`.
#[derive(Clone, Debug, Wire)]
pub(crate) struct Text {
    pub value: Option<String>,
}

/// `{"Return": true}`.
#[derive(Debug, Wire)]
pub(crate) struct Return {
    #[wire("Return")]
    pub done: bool,
}
