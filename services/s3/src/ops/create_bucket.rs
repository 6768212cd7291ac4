//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>

use crate::choices::BucketCannedAcl;
use crate::{Error, acl, metadata, rules};
use escale_base::{AwsError, Tag, Wire};
use escale_service::{Cx, Operation};
use escale_tables::s3::{Bucket, BucketName, BucketSeen, ObjectOwnership};

pub(crate) struct CreateBucket;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    #[wire("ACL")]
    acl: Option<BucketCannedAcl>,
    create_bucket_configuration: Option<Configuration>,
    object_ownership: Option<ObjectOwnership>,
    object_lock_enabled_for_bucket: Option<bool>,
}

#[derive(Wire)]
pub(crate) struct Configuration {
    pub(crate) location_constraint: Option<String>,
    pub(crate) tags: Vec<Tag>,
}

#[derive(Wire)]
pub(crate) struct Output {
    location: String,
    bucket_arn: String,
}

impl Operation for CreateBucket {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn keys(input: &Input) -> Vec<(&'static str, String)> {
        input.acl.map(|acl| ("s3:x-amz-acl", acl.to_string())).into_iter().collect()
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        rules::bucket_name(&input.bucket)?;
        let ownership = input.object_ownership.unwrap_or_default();
        let grants = input.acl.map(acl::canned).unwrap_or_default();
        let new = Bucket { ownership, ..Bucket::new(input.bucket.clone(), cx.now) };
        acl::check(&new, &grants).map_err(|error| match error {
            Error::AclsNotSupported => Error::AclWithOwnership,
            // A new bucket blocks public access.
            _ => Error::AclWithBlock,
        })?;
        if input.object_lock_enabled_for_bucket == Some(true) {
            return Err(AwsError::not_supported("The parameter ObjectLockEnabledForBucket").into());
        }
        let (location, tags) =
            input.create_bucket_configuration.map_or((None, Vec::new()), |c| (c.location_constraint, c.tags));
        check_location(location, &cx.config.region)?;
        metadata::check_bucket_tags(&tags)?;
        match cx.tx.get::<Bucket>(&input.bucket) {
            Some(row) if row.deleting => return Err(Error::BeingDeleted(input.bucket)),
            Some(_) => return Err(Error::BucketAlreadyOwnedByYou(input.bucket)),
            None => {}
        }
        // A failed deletion of an earlier bucket with this name does not concern the new one.
        cx.tx.delete::<BucketSeen>(&input.bucket);
        cx.tx.put(Bucket { tags, acl: grants, ..new });
        Ok(Output { location: format!("/{}", input.bucket), bucket_arn: rules::bucket_arn(&input.bucket) })
    }
}

/// The location constraint must name the region of the endpoint. In us-east-1 there must be none.
fn check_location(given: Option<String>, region: &str) -> Result<(), Error> {
    let expected = (region != rules::UNCONSTRAINED_REGION).then_some(region);
    if given.as_deref() == expected {
        Ok(())
    } else {
        Err(Error::IllegalLocation { given, region: region.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn location_constraint_must_name_the_region() {
        for (given, region, message) in [
            (Some("eu-west-3"), "eu-west-3", None),
            (None, "eu-west-3", Some("The unspecified location constraint is incompatible")),
            (Some("eu-west-1"), "eu-west-3", Some("The eu-west-1 location constraint is incompatible")),
            (None, "us-east-1", None),
            (Some("eu-west-3"), "us-east-1", Some("The eu-west-3 location constraint is incompatible")),
        ] {
            let error = check_location(given.map(str::to_owned), region).err().map(|e| e.to_string());
            let matches =
                error.as_deref().map_or(message.is_none(), |e| message.is_some_and(|m| e.starts_with(m)));
            assert!(matches, "{given:?} in {region}: {error:?}");
        }
    }
}
