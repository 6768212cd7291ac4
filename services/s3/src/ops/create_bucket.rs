//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>

use crate::{Error, metadata, rules};
use escale_base::{Tag, Wire};
use escale_service::{Cx, Operation};
use escale_tables::s3::{Bucket, BucketSeen, PublicAccessBlock, Versioning};

pub(crate) struct CreateBucket;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: String,
    #[wire("ACL")]
    acl: Option<String>,
    create_bucket_configuration: Option<Configuration>,
    object_ownership: Option<String>,
    object_lock_enabled_for_bucket: Option<bool>,
}

#[derive(Wire)]
struct Configuration {
    location_constraint: Option<String>,
    tags: Vec<Tag>,
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

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        rules::bucket_name(&input.bucket)?;
        metadata::refuse(&None, &None, &input.acl)?;
        if let Some(other) = input.object_ownership.filter(|o| o != "BucketOwnerEnforced") {
            return Err(Error::NotSupported(format!("The object ownership {other}")));
        }
        if input.object_lock_enabled_for_bucket == Some(true) {
            return Err(Error::NotSupported("ObjectLockEnabledForBucket".into()));
        }
        let (location, tags) =
            input.create_bucket_configuration.map_or((None, Vec::new()), |c| (c.location_constraint, c.tags));
        if location.is_some_and(|l| l != cx.config.region) {
            return Err(Error::InvalidLocation(cx.config.region.clone()));
        }
        metadata::check_tags(&tags)?;
        match cx.tx.get::<Bucket>(&input.bucket) {
            Some(row) if row.deleting => return Err(Error::BeingDeleted(input.bucket)),
            Some(_) => return Err(Error::BucketAlreadyOwnedByYou(input.bucket)),
            None => {}
        }
        cx.tx.delete::<BucketSeen>(&input.bucket);
        cx.tx.put(Bucket {
            name: input.bucket.clone(),
            created: cx.now,
            versioning: Versioning::Off,
            policy: None,
            public_access_block: Some(PublicAccessBlock::ALL),
            tags,
            bucket_key: false,
            deleting: false,
        });
        Ok(Output { location: format!("/{}", input.bucket), bucket_arn: rules::bucket_arn(&input.bucket) })
    }
}
