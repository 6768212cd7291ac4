//! `AWS::S3::Bucket`, `AWS::S3::BucketPolicy`.
//!
//! Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html>

use crate::{
    ops::{
        create_bucket::{Configuration, CreateBucket},
        delete_bucket_policy::DeleteBucketPolicy,
        put_bucket_encryption::PutBucketEncryption,
        put_bucket_ownership_controls::PutBucketOwnershipControls,
        put_bucket_policy::PutBucketPolicy,
        put_bucket_tagging::PutBucketTagging,
        put_bucket_versioning::PutBucketVersioning,
        put_public_access_block::PutPublicAccessBlock,
    },
    rules,
    shapes::Tagging,
};
use escale_base::AwsError;
use escale_service::{Created, Cx, InputDraft, Props, Readiness, ResourceType};
use escale_store::Image;
use escale_tables::s3::{Bucket, BucketName, BucketSeen};

pub(crate) fn types() -> Vec<ResourceType> {
    vec![
        ResourceType::new(
            "AWS::S3::Bucket",
            &[
                "AccessControl",
                "BucketEncryption",
                "BucketName",
                "OwnershipControls",
                "PublicAccessBlockConfiguration",
                "Tags",
                "VersioningConfiguration",
            ],
            create_bucket,
            delete_bucket,
        )
        .gone(bucket_gone),
        ResourceType::new(
            "AWS::S3::BucketPolicy",
            &["Bucket", "PolicyDocument"],
            create_policy,
            |cx, created| created.delete_by::<DeleteBucketPolicy>(cx, "Bucket"),
        ),
    ]
}

/// The names of the encryption properties in the API.
const OF_ENCRYPTION: &[(&str, &str)] = &[
    ("BucketEncryption", "ServerSideEncryptionConfiguration"),
    ("ServerSideEncryptionConfiguration", "Rules"),
    ("ServerSideEncryptionByDefault", "ApplyServerSideEncryptionByDefault"),
];

fn create_bucket(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    // Bucket names are in lower case, so a generated name is converted. A name of the template is not: S3 checks it.
    let name = props.name_or_generated("BucketName", 63);
    let name = BucketName(if props.str("BucketName").is_some() { name } else { name.to_ascii_lowercase() });
    let acl = props.str("AccessControl").map(|acl| if acl == "Private" { "private" } else { acl }.to_owned());
    let configuration = (cx.config.region != rules::UNCONSTRAINED_REGION)
        .then(|| Configuration { location_constraint: Some(cx.config.region.clone()), tags: Vec::new() });
    let input = InputDraft::<CreateBucket>::new().with("Bucket", &name).with("ACL", &acl);
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
    let tag_set = props.tags()?;
    if !tag_set.is_empty() {
        let input = InputDraft::<PutBucketTagging>::new().with("Bucket", &name);
        input.with("Tagging", &Tagging { tag_set }).call(cx)?;
    }
    let region = &cx.config.region;
    Ok(Created::new(name.as_str())
        .with("Arn", rules::bucket_arn(&name))
        .with("DomainName", format!("{name}.s3.amazonaws.com"))
        .with("DualStackDomainName", format!("{name}.s3.dualstack.{region}.amazonaws.com"))
        .with("RegionalDomainName", format!("{name}.s3.{region}.amazonaws.com")))
}

/// Marks the row, and the reconciler deletes the bucket: a transaction cannot wait for the plane.
fn delete_bucket(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let name = &created.physical_id;
    // The result of an earlier attempt; `bucket_gone` would report it for this one.
    cx.tx.delete::<BucketSeen>(name);
    cx.tx.update::<Bucket, ()>(name, |b| b.deleting = true);
    Ok(())
}

fn bucket_gone(image: &Image, created: &Created) -> Readiness {
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

fn create_policy(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let input = props.input_without::<PutBucketPolicy>(&[]).renamed(&[("PolicyDocument", "Policy")]);
    input.call(cx)?;
    Ok(Created::new(props.text("Bucket")?))
}
