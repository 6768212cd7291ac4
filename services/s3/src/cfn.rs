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
use escale_tables::s3::{Bucket, BucketSeen};

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

/// The API's words for the same rules.
const OF_ENCRYPTION: &[(&str, &str)] = &[
    ("BucketEncryption", "ServerSideEncryptionConfiguration"),
    ("ServerSideEncryptionConfiguration", "Rules"),
    ("ServerSideEncryptionByDefault", "ApplyServerSideEncryptionByDefault"),
];

fn create_bucket(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    // A bucket's name is in lower case; CloudFormation's own is too.
    let name = props.name_or_generated("BucketName", 63);
    let name = if props.str("BucketName").is_some() { name } else { name.to_ascii_lowercase() };
    let acl = props.str("AccessControl").map(|acl| if acl == "Private" { "private" } else { acl }.to_owned());
    let elsewhere = (cx.config.region != rules::UNSPOKEN_REGION)
        .then(|| Configuration { location_constraint: Some(cx.config.region.clone()), tags: Vec::new() });
    let input = InputDraft::<CreateBucket>::new().with("Bucket", &name).with("ACL", &acl);
    input.with("CreateBucketConfiguration", &elsewhere).call(cx)?;
    if props.get("PublicAccessBlockConfiguration").is_some() {
        let input = props.input::<PutPublicAccessBlock>(&["PublicAccessBlockConfiguration"]);
        input.with("Bucket", &name).call(cx)?;
    }
    if props.get("OwnershipControls").is_some() {
        props.input::<PutBucketOwnershipControls>(&["OwnershipControls"]).with("Bucket", &name).call(cx)?;
    }
    // `Suspended` is how a template says "not versioned".
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
    Ok(Created::new(&name)
        .with("Arn", rules::bucket_arn(&name))
        .with("DomainName", format!("{name}.s3.amazonaws.com"))
        .with("DualStackDomainName", format!("{name}.s3.dualstack.{region}.amazonaws.com"))
        .with("RegionalDomainName", format!("{name}.s3.{region}.amazonaws.com")))
}

/// DeleteBucket itself has to ask the plane; here the row is marked, and `reconcile` deletes the bucket.
fn delete_bucket(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let name = &created.physical_id;
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
        (Some(_), None) => Readiness::Failed(format!("the bucket {name} was made anew")),
    }
}

fn create_policy(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let input = props.input_without::<PutBucketPolicy>(&[]).renamed(&[("PolicyDocument", "Policy")]);
    input.call(cx)?;
    Ok(Created::new(props.text("Bucket")?))
}
