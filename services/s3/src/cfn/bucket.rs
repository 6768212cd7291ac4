//! `AWS::S3::Bucket`.
//!
//! Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html>

use super::{
    lifecycle::{self, TemplateLifecycle},
    website::{self, TemplateWebsite},
};
use crate::{
    Error, acl,
    choices::{BucketCannedAcl, BucketVersioningStatus},
    ops::{
        create_bucket::{Configuration, CreateBucket},
        delete_bucket_cors::DeleteBucketCors,
        delete_bucket_encryption::DeleteBucketEncryption,
        delete_bucket_lifecycle::DeleteBucketLifecycle,
        delete_bucket_tagging::DeleteBucketTagging,
        delete_bucket_website::DeleteBucketWebsite,
        get_bucket_cors::{self, GetBucketCors},
        get_bucket_encryption::GetBucketEncryption,
        get_bucket_lifecycle_configuration::GetBucketLifecycleConfiguration,
        get_bucket_logging::GetBucketLogging,
        get_bucket_ownership_controls::GetBucketOwnershipControls,
        get_bucket_tagging::GetBucketTagging,
        get_bucket_versioning::GetBucketVersioning,
        get_bucket_website::GetBucketWebsite,
        get_public_access_block::GetPublicAccessBlock,
        head_bucket::HeadBucket,
        put_bucket_acl::{self, PutBucketAcl},
        put_bucket_cors::PutBucketCors,
        put_bucket_encryption::PutBucketEncryption,
        put_bucket_lifecycle_configuration::{self, PutBucketLifecycleConfiguration},
        put_bucket_logging::{self, PutBucketLogging},
        put_bucket_ownership_controls::{self, PutBucketOwnershipControls},
        put_bucket_tagging::PutBucketTagging,
        put_bucket_versioning::{self, PutBucketVersioning},
        put_bucket_website::PutBucketWebsite,
        put_public_access_block::{self, PutPublicAccessBlock},
    },
    rules,
    shapes::{self, Tagging},
};
use escale_base::{
    AwsError, Wire, found,
    wire::{self, Map, Value},
};
use escale_service::{Created, Cx, InputDraft, Named, Props, Readiness, Update, properties_of};
use escale_store::Image;
use escale_tables::s3::{AccessLogging, Bucket, BucketName, BucketSeen, KeyPrefix, LogKeyFormat, Website};

pub(super) const NAME: &str = "AWS::S3::Bucket";
pub(super) const PROPERTIES: &[&str] = &[
    "AccessControl",
    "BucketEncryption",
    "BucketName",
    CORS,
    lifecycle::PROPERTY,
    LOGGING,
    "OwnershipControls",
    "PublicAccessBlockConfiguration",
    "Tags",
    "VersioningConfiguration",
    website::PROPERTY,
];

const LOGGING: &str = "LoggingConfiguration";
const CORS: &str = "CorsConfiguration";
const OF_CORS: &[(&str, &str)] = &[("ExposedHeaders", "ExposeHeaders"), ("MaxAge", "MaxAgeSeconds")];

/// The names of the encryption properties in the API.
const OF_ENCRYPTION: &[(&str, &str)] = &[
    ("BucketEncryption", "ServerSideEncryptionConfiguration"),
    ("ServerSideEncryptionConfiguration", "Rules"),
    ("ServerSideEncryptionByDefault", "ApplyServerSideEncryptionByDefault"),
];

pub(super) fn create(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    // Bucket names are in lower case, so a generated name is converted. A name of the template is not: S3 checks it.
    let name = props.name_or_generated("BucketName", 63);
    let name = BucketName(if props.str("BucketName").is_some() { name } else { name.to_ascii_lowercase() });
    let configuration = (cx.config.region != rules::UNCONSTRAINED_REGION)
        .then(|| Configuration { location_constraint: Some(cx.config.region.clone()), tags: Vec::new() });
    let input = InputDraft::<CreateBucket>::new().with("Bucket", &name);
    input.with("CreateBucketConfiguration", &configuration).call(cx)?;
    if props.get("PublicAccessBlockConfiguration").is_some() {
        let input = props.input::<PutPublicAccessBlock>(&["PublicAccessBlockConfiguration"]);
        input.with("Bucket", &name).call(cx)?;
    }
    if props.get("OwnershipControls").is_some() {
        props.input::<PutBucketOwnershipControls>(&["OwnershipControls"]).with("Bucket", &name).call(cx)?;
    }
    // In a template, `Suspended` means that the bucket is not versioned, as every new bucket.
    if props.get("VersioningConfiguration").is_some_and(|v| v["Status"] != "Suspended") {
        props.input::<PutBucketVersioning>(&["VersioningConfiguration"]).with("Bucket", &name).call(cx)?;
    }
    if props.get("BucketEncryption").is_some() {
        let input = props.input::<PutBucketEncryption>(&["BucketEncryption"]).renamed(OF_ENCRYPTION);
        input.with("Bucket", &name).call(cx)?;
    }
    if props.get(CORS).is_some() {
        props.input::<PutBucketCors>(&[CORS]).renamed(OF_CORS).with("Bucket", &name).call(cx)?;
    }
    // An ACL depends on the ownership and the public access block.
    if props.str("AccessControl").is_some() {
        put_acl(cx, props, &name)?;
    }
    put_logging(cx, props, &name)?;
    put_lifecycle(cx, props, &name)?;
    put_website(cx, props, &name)?;
    let tag_set = props.tags()?;
    if !tag_set.is_empty() {
        let input = InputDraft::<PutBucketTagging>::new().with("Bucket", &name);
        input.with("Tagging", &Tagging { tag_set }).call(cx)?;
    }
    Ok(described(cx, &name))
}

pub(super) fn described(cx: &Cx<'_>, name: &BucketName) -> Created {
    let region = &cx.config.region;
    Created::new(name.as_str())
        .with("Arn", rules::bucket_arn(name))
        .with("DomainName", format!("{name}.s3.amazonaws.com"))
        .with("DualStackDomainName", format!("{name}.s3.dualstack.{region}.amazonaws.com"))
        .with("RegionalDomainName", format!("{name}.s3.{region}.amazonaws.com"))
        .with("WebsiteURL", format!("http://{}", cx.config.website_name(name)))
}

/// Marks the row, and the reconciler deletes the bucket: a transaction cannot wait for the plane.
pub(super) fn delete(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let name = &created.physical_id;
    // The result of an earlier attempt; `gone` would report it for this one.
    cx.tx.delete::<BucketSeen>(name);
    cx.tx.update::<Bucket, ()>(name, |b| b.deleting = true);
    Ok(())
}

pub(super) fn gone(image: &Image, created: &Created) -> Readiness {
    let name = &created.physical_id;
    match (image.get::<Bucket>(name), image.get::<BucketSeen>(name)) {
        (None, _) => Readiness::ready(),
        (Some(row), _) if row.deleting => Readiness::Pending(format!("the bucket {name} is being deleted")),
        (Some(_), Some(seen)) => Readiness::Failed(seen.not_deleted.clone()),
        (Some(_), None) => {
            Readiness::Failed(format!("the bucket {name} was created again while it was being deleted"))
        }
    }
}

/// Puts the lifecycle configuration of the template; returns whether it has one.
fn put_lifecycle(cx: &mut Cx<'_>, props: &Props<'_>, bucket: &BucketName) -> Result<bool, AwsError> {
    let Some((rules, minimum)) = TemplateLifecycle::of(props)? else { return Ok(false) };
    let input = InputDraft::<PutBucketLifecycleConfiguration>::new().with("Bucket", bucket);
    let input = input.with(lifecycle::PROPERTY, &put_bucket_lifecycle_configuration::Configuration { rules });
    input.with("TransitionDefaultMinimumObjectSize", &minimum).call(cx)?;
    Ok(true)
}

/// Puts the website configuration of the template; returns whether it has one.
fn put_website(cx: &mut Cx<'_>, props: &Props<'_>, bucket: &BucketName) -> Result<bool, AwsError> {
    let written = props.read::<Option<TemplateWebsite>>(website::PROPERTY)?;
    let Some(site) = written.map(Website::from) else { return Ok(false) };
    let input = InputDraft::<PutBucketWebsite>::new().with("Bucket", bucket);
    input.with(website::PROPERTY, &site).call(cx)?;
    Ok(true)
}

/// Puts the canned ACL of the template; without one the bucket is private.
fn put_acl(cx: &mut Cx<'_>, props: &Props<'_>, bucket: &BucketName) -> Result<(), AwsError> {
    let input = InputDraft::<PutBucketAcl>::new().with("Bucket", bucket);
    let canned = match props.str("AccessControl").unwrap_or("Private") {
        // S3 ignores the two ACLs that are meant for objects.
        "Private" | "BucketOwnerRead" | "BucketOwnerFullControl" => BucketCannedAcl::Private,
        "PublicRead" => BucketCannedAcl::PublicRead,
        "PublicReadWrite" => BucketCannedAcl::PublicReadWrite,
        "AuthenticatedRead" => BucketCannedAcl::AuthenticatedRead,
        "LogDeliveryWrite" => {
            let owner = shapes::owner(&cx.config.account);
            let grants = shapes::grants(&owner, &acl::for_logs());
            let policy = put_bucket_acl::Policy { owner: Some(owner), grants: Some(grants) };
            return with_ownership(input.with("AccessControlPolicy", &policy).call(cx));
        }
        other => {
            return Err(
                AwsError::not_supported(format_args!("The AccessControl {other}")).hint("Use Private.")
            );
        }
    };
    with_ownership(input.with("ACL", &canned).call(cx))
}

/// AWS reports an ACL on a bucket that has none with the code of CreateBucket.
fn with_ownership<T>(put: Result<T, AwsError>) -> Result<(), AwsError> {
    put.map(drop).map_err(|error| match error.code.as_str() {
        "AccessControlListNotSupported" => Error::AclWithOwnership.into(),
        _ => error,
    })
}

/// Puts the logging configuration of the template; returns whether it has one. Without a target, the bucket logs into itself.
fn put_logging(cx: &mut Cx<'_>, props: &Props<'_>, bucket: &BucketName) -> Result<bool, AwsError> {
    let Some(written) = props.read::<Option<TemplateLogging>>(LOGGING)? else { return Ok(false) };
    let logging_enabled = AccessLogging {
        target_bucket: written.destination_bucket_name.unwrap_or_else(|| bucket.clone()),
        target_prefix: written.log_file_prefix.unwrap_or_else(|| "".into()),
        target_object_key_format: written.target_object_key_format,
    };
    let status = put_bucket_logging::Status { logging_enabled: Some(logging_enabled) };
    let input = InputDraft::<PutBucketLogging>::new().with("Bucket", bucket);
    input.with("BucketLoggingStatus", &status).call(cx)?;
    Ok(true)
}

#[derive(Wire)]
struct TemplateLogging {
    destination_bucket_name: Option<BucketName>,
    log_file_prefix: Option<KeyPrefix>,
    target_object_key_format: Option<LogKeyFormat>,
}

fn of<O: Named>(created: &Created) -> InputDraft<O> {
    InputDraft::new().with("Bucket", &created.physical_id)
}

/// A property that the template no longer has gets the setting of a new bucket.
pub(super) fn update(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let (created, after) = (update.created, update.after);
    let id = &created.physical_id;
    if update.changed("PublicAccessBlockConfiguration") {
        let input = after.input::<PutPublicAccessBlock>(&["PublicAccessBlockConfiguration"]);
        let input = match after.get("PublicAccessBlockConfiguration") {
            Some(_) => input,
            None => input.with("PublicAccessBlockConfiguration", &put_public_access_block::ALL),
        };
        input.with("Bucket", id).call(cx)?;
    }
    let bucket = BucketName(id.clone());
    // A new ACL may need the new ownership, and the old ownership may need that the old ACL is gone.
    let private = after.str("AccessControl").is_none_or(|acl| acl == "Private");
    if update.changed("AccessControl") && private {
        put_acl(cx, after, &bucket)?;
    }
    if update.changed("OwnershipControls") {
        let input = match after.get("OwnershipControls") {
            Some(_) => after.input::<PutBucketOwnershipControls>(&["OwnershipControls"]),
            None => InputDraft::new().with("OwnershipControls", &put_bucket_ownership_controls::enforced()),
        };
        input.with("Bucket", id).call(cx)?;
    }
    if update.changed("AccessControl") && !private {
        put_acl(cx, after, &bucket)?;
    }
    if update.changed(LOGGING) && !put_logging(cx, after, &bucket)? {
        let none = put_bucket_logging::Status { logging_enabled: None };
        of::<PutBucketLogging>(created).with("BucketLoggingStatus", &none).call(cx)?;
    }
    if update.changed("VersioningConfiguration") {
        update_versioning(cx, update)?;
    }
    if update.changed("BucketEncryption") {
        let input = after.input::<PutBucketEncryption>(&["BucketEncryption"]).renamed(OF_ENCRYPTION);
        match after.get("BucketEncryption") {
            Some(_) => input.with("Bucket", id).call(cx)?,
            None => of::<DeleteBucketEncryption>(created).call(cx)?,
        }
    }
    if update.changed(CORS) {
        let input = after.input::<PutBucketCors>(&[CORS]).renamed(OF_CORS);
        match after.get(CORS) {
            Some(_) => input.with("Bucket", id).call(cx)?,
            None => of::<DeleteBucketCors>(created).call(cx)?,
        }
    }
    if update.changed(lifecycle::PROPERTY) && !put_lifecycle(cx, after, &id.as_str().into())? {
        of::<DeleteBucketLifecycle>(created).call(cx)?;
    }
    if update.changed(website::PROPERTY) && !put_website(cx, after, &id.as_str().into())? {
        of::<DeleteBucketWebsite>(created).call(cx)?;
    }
    update_tags(cx, update)?;
    Ok(created.clone())
}

/// Versioning can be suspended only after it was enabled; before that, a bucket is not versioned in any case.
fn update_versioning(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<(), AwsError> {
    let current = of::<GetBucketVersioning>(update.created).call(cx)?.status;
    let enabled = update.after.get("VersioningConfiguration").is_some_and(|v| v["Status"] == "Enabled");
    let status = if enabled { BucketVersioningStatus::Enabled } else { BucketVersioningStatus::Suspended };
    if !enabled && current.is_none() {
        return Ok(());
    }
    let configuration = put_bucket_versioning::Configuration { mfa_delete: None, status: Some(status) };
    let input = of::<PutBucketVersioning>(update.created);
    input.with("VersioningConfiguration", &configuration).call(cx).map(drop)
}

/// S3 replaces all tags of a bucket at once, so tags that others have set are put again.
fn update_tags(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<(), AwsError> {
    let (set, removed) = update.tags()?;
    if set.is_empty() && removed.is_empty() {
        return Ok(());
    }
    let current = found(of::<GetBucketTagging>(update.created).call(cx))?;
    let mut tag_set = current.map(|got| got.tag_set).unwrap_or_default();
    tag_set.retain(|tag| !removed.contains(&tag.key));
    escale_base::tags::merge(&mut tag_set, set);
    if tag_set.is_empty() {
        return of::<DeleteBucketTagging>(update.created).call(cx).map(drop);
    }
    of::<PutBucketTagging>(update.created).with("Tagging", &Tagging { tag_set }).call(cx).map(drop)
}

/// As the API's request has it.
#[derive(Wire)]
struct CorsProperty {
    #[wire("CORSConfiguration")]
    cors_configuration: get_bucket_cors::Output,
}

/// `AccessControl` is not read: as on AWS, it is write-only.
pub(super) fn read(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    if found(of::<HeadBucket>(created).call(cx))?.is_none() {
        return Ok(None);
    }
    let mut properties = Map::new();
    wire::put(&mut properties, "BucketName", &created.physical_id);
    let mut add = |found: Map<String, Value>| properties.extend(found);
    add(properties_of(NAME, &of::<GetBucketEncryption>(created).call(cx)?, OF_ENCRYPTION));
    add(properties_of(NAME, &of::<GetBucketOwnershipControls>(created).call(cx)?, &[]));
    if let Some(block) = found(of::<GetPublicAccessBlock>(created).call(cx))? {
        add(properties_of(NAME, &block, &[]));
    }
    if let Some(tags) = found(of::<GetBucketTagging>(created).call(cx))? {
        add(properties_of(NAME, &tags, &[("Tags", "TagSet")]));
    }
    if let Some(got) = found(of::<GetBucketCors>(created).call(cx))? {
        let found = CorsProperty { cors_configuration: got };
        properties.extend(properties_of(NAME, &found, OF_CORS));
    }
    if let Some(found) = found(of::<GetBucketLifecycleConfiguration>(created).call(cx))? {
        let minimum = found.transition_default_minimum_object_size;
        let configuration = TemplateLifecycle::from_api(found.rules, minimum);
        wire::put(&mut properties, lifecycle::PROPERTY, &configuration);
    }
    if let Some(logging) = of::<GetBucketLogging>(created).call(cx)?.logging_enabled {
        let written = TemplateLogging {
            destination_bucket_name: Some(logging.target_bucket),
            log_file_prefix: Some(logging.target_prefix),
            target_object_key_format: logging.target_object_key_format,
        };
        wire::put(&mut properties, LOGGING, &written);
    }
    if let Some(site) = found(of::<GetBucketWebsite>(created).call(cx))? {
        wire::put(&mut properties, website::PROPERTY, &TemplateWebsite::from(site));
    }
    // For a template, a bucket that was never versioned is as one whose versioning is suspended.
    let status = of::<GetBucketVersioning>(created).call(cx)?.status;
    let status = status.unwrap_or(BucketVersioningStatus::Suspended);
    properties
        .insert("VersioningConfiguration".into(), Map::from_iter([("Status".into(), status.write())]).into());
    Ok(Some(properties))
}
