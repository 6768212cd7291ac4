//! Shapes that several operations give, by resource.

pub(crate) mod address;
pub(crate) mod gateway;
pub(crate) mod group;
pub(crate) mod interface;
pub(crate) mod route_table;
pub(crate) mod subnet;
pub(crate) mod vpc;

use crate::{Error, choices::ResourceType, error::Limit};
use escale_base::{Tag, Wire};

/// Tags given at creation: `TagSpecifications=[{ResourceType, Tags}]`.
#[derive(Clone, Debug, Wire)]
pub(crate) struct TagSpecification {
    pub resource_type: Option<ResourceType>,
    pub tags: Vec<Tag>,
}

/// The tags for a resource of this type; a specification for another type is an error, as on AWS.
pub(crate) fn tags_for(
    specifications: &[TagSpecification],
    resource_type: ResourceType,
) -> Result<Vec<Tag>, Error> {
    let mut tags = Vec::new();
    for specification in specifications {
        if specification.resource_type != Some(resource_type) {
            let named = specification.resource_type.map_or("", ResourceType::as_str);
            let why = format!("'{resource_type}' is the type of what this operation creates.");
            return Err(Error::invalid("tagSpecification", named, why));
        }
        escale_base::tags::merge(&mut tags, specification.tags.clone());
    }
    check_tags(&tags)?;
    Ok(tags)
}

/// AWS's bounds: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions>
pub(crate) fn check_tags(tags: &[Tag]) -> Result<(), Error> {
    let counted = tags.iter().filter(|t| !t.key.starts_with("aws:")).count();
    if counted > Limit::Tags.most() {
        let most = Limit::Tags.most();
        return Err(Error::TooMany(
            Limit::Tags,
            format!("You have reached the maximum number of tags: {most}"),
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

/// `{"Value": true}`: how EC2 writes a boolean that may be absent.
#[derive(Clone, Copy, Debug, Wire)]
pub(crate) struct Flag {
    pub value: Option<bool>,
}

impl Flag {
    pub(crate) fn of(value: bool) -> Option<Flag> {
        Some(Flag { value: Some(value) })
    }

    /// The value that was asked for, if this member came at all.
    pub(crate) fn asked(flag: &Option<Flag>) -> Option<bool> {
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
